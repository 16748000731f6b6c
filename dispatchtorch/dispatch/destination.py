"""How a result goes into the tensors of ``out=``: what is asked of them, what is refused, how they are resized.

What an op asks beyond the usual is a `Rule`, put into `RULES` under its name. Knows nothing of which ops there are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from dispatchtorch._base.dtypes import COMPLEX, FLOATING, DType
from dispatchtorch.dispatch.inplace import can_cast, write_raw
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.overlap import Inputs, require_apart, require_distinct
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = [
    "RULES",
    "Rule",
    "a_complex",
    "a_floating",
    "arguments_for",
    "exact",
    "fill",
    "fitted",
]

_CAST: Final = "result type {wanted} can't be cast to the desired output type {given}"
_RESIZED: Final = (
    "An output with one or more elements was resized since it had shape {given_shape}, which does not match the "
    "required output shape {wanted_shape}. This behavior is deprecated, and in a future PyTorch release outputs will "
    "not be resized unless they have zero elements. You can explicitly reuse an out tensor t by resizing it, inplace, "
    "to zero elements with t.resize_(0)."
)
_NATIVE: Final = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "uint16": "short unsigned int", "uint32": "unsigned int", "uint64": "long unsigned int",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def exact(wanted: DType, given: DType) -> bool:
    """Returns whether the dtypes are one."""
    return wanted is given


def a_complex(wanted: DType, given: DType) -> bool:
    """Returns whether the given dtype is complex."""
    return given.category == COMPLEX


def a_floating(wanted: DType, given: DType) -> bool:
    """Returns whether the given dtype is floating."""
    return given.category == FLOATING


class Rule(NamedTuple):
    """What an op asks of ``out=``; the defaults are what nearly all ask.

    ``sentence``, one or one an output, has the slots ``wanted`` and ``given`` (names as in ``FloatTensor``) and
    ``wanted_native`` and ``given_native`` (names of C++). ``inputs``: whether inputs may share memory with an output.
    ``inside``: whether elements of an output that share memory are refused. ``warning``: what is said of resizing, and
    ``quiet_scalar``: nothing where no input has a dimension. ``by_count``: a shape is right if it has the right number
    of elements. ``computed``: the output's dtype is the one to compute in: "always", or "castable" where the input can
    be cast to it.
    """

    takes: Callable[[DType, DType], bool] = can_cast
    sentence: str | tuple[str, ...] = _CAST
    error: type[Exception] = RuntimeError
    inputs: Inputs = "same"
    inside: bool = True
    warning: str = _RESIZED
    quiet_scalar: bool = False
    by_count: bool = False
    computed: Literal["", "always", "castable"] = ""


RULES: Final[dict[str, Rule]] = {}
_USUAL: Final = Rule()


def arguments_for(name: str, out: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keyword arguments of a call with ``out``: with its dtype too, if it is to be computed in that."""
    computed = RULES.get(name, _USUAL).computed
    if not computed or not isinstance(out, Tensor) or kwargs.get("dtype") is not None:
        return kwargs
    if computed == "castable":
        given = next(_tensors((*args, *kwargs.values())), None)
        if given is None or not can_cast(given._key.dtype, out._key.dtype):
            return kwargs
    return {**kwargs, "dtype": out._key.dtype}


def fill(name: str, result: Any, out: Any, inputs: Iterable[Any]) -> Any:
    """Returns ``out`` after the result was written into it; nothing is written until everything is checked."""
    rule = RULES.get(name, _USUAL)
    if not isinstance(result, tuple):
        _check(name, rule, result._key, result._a.shape, out, 0, inputs)
        _write(rule, result, out, inputs)
        return out
    targets = tuple(out)
    for place, (one, target) in enumerate(zip(result, targets, strict=True)):
        _check(name, rule, one._key, one._a.shape, target, place, inputs)
    for one, target in zip(result, targets, strict=True):
        _write(rule, one, target, inputs)
    return type(result)(targets)  # with its names, where it has any


def fitted(name: str, shape: tuple[int, ...], out: Tensor, inputs: Iterable[Any] = ()) -> Tensor:
    """Returns ``out`` with the shape of a result that is about to be made in it, in its own dtype."""
    rule = RULES.get(name, _USUAL)
    _check(name, rule, out._key, shape, out, 0, inputs)
    _resize(rule, shape, out, inputs)
    return out


def _check(
    name: str, rule: Rule, key: Key, shape: Sequence[int], out: Tensor, place: int, inputs: Iterable[Any]
) -> None:
    if modes.grad and (key.requires or out._key.requires):
        raise RuntimeError(
            f"{name.removeprefix('aten::')}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad."
        )
    wanted, given = key.dtype, out._key.dtype
    if wanted is not given and not rule.takes(wanted, given):
        sentence = rule.sentence if isinstance(rule.sentence, str) else rule.sentence[place]
        raise rule.error(
            sentence.format(
                wanted=wanted.legacy,
                given=given.legacy,
                wanted_native=_NATIVE.get(wanted.name, wanted.name),
                given_native=_NATIVE.get(given.name, given.name),
            )
        )
    apart = rule.inputs == "apart"
    if not apart and tuple(shape) != tuple(out._a.shape):
        return  # it is resized, into memory of its own
    if rule.inside:
        require_distinct(out)
    if rule.inputs != "any":
        for t in _tensors(inputs):
            require_apart(out, t, rule.inputs)


def _resize(rule: Rule, wanted: tuple[int, ...], out: Tensor, inputs: Iterable[Any]) -> None:
    given = tuple(out._a.shape)
    if wanted == given:
        return
    quiet = rule.quiet_scalar and not any(t._a.shape for t in _tensors(inputs))
    if out._a.size and rule.warning and not quiet:
        told = rule.warning.format(
            given_shape=list(given),
            wanted_shape=list(wanted),
            given_count=out._a.size,
            wanted_count=math.prod(wanted),
        )
        warnings.warn(told, UserWarning, stacklevel=5)
    out.resize_(wanted)


def _write(rule: Rule, result: Tensor, out: Tensor, inputs: Iterable[Any]) -> None:
    value = read(result)
    if rule.by_count and value.size == out._a.size:
        value = value.reshape(out._a.shape)
    else:
        _resize(rule, tuple(result._a.shape), out, inputs)
    write_raw(out, value)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
