"""torch's ``torch.testing``: ``assert_close`` with its tolerances and sentences, and ``make_tensor`` with its numbers.

One of the places where host arrays may be seen. Knows tensors; knows no op but those that make them.
"""

from __future__ import annotations

import cmath
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import BOOL, INTEGRAL, DType, promote
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.tensor.interop import dtype_of_host, host_dtype, to_host
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["TOLERANCES", "assert_close", "make_tensor"]

Host = np.ndarray[Any, Any]
Message = str | Callable[[str], str] | None

TOLERANCES: Final = {  # rtol, atol; every other dtype is compared exactly
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class _Rules:
    """What a call of `assert_close` asks for."""

    __slots__ = ("device", "dtype", "equal_nan", "msg", "stride", "tolerances", "types")

    def __init__(self, tolerances: tuple[float, float] | None, **asked: Any) -> None:
        self.tolerances = tolerances
        self.equal_nan: bool = asked["equal_nan"]
        self.device: bool = asked["device"]
        self.dtype: bool = asked["dtype"]
        self.stride: bool = asked["stride"]
        self.types: bool = asked["types"]
        self.msg: Message = asked["msg"]

    def fail(self, sentence: str, place: tuple[Any, ...], kind: type[Exception] = AssertionError) -> Exception:
        """Returns the error for a difference found at ``place`` of nested containers."""
        if isinstance(self.msg, str):
            return kind(self.msg)
        if place:
            sentence += f"\n\nThe failure occurred for item {''.join(str([item]) for item in place)}"
        return kind(self.msg(sentence) if self.msg is not None else sentence)

    def pair(self, *names: str) -> tuple[float, float]:
        """Returns (rtol, atol) for values of these dtypes: what was asked for, or the wider of the defaults."""
        if self.tolerances is not None:
            return self.tolerances
        found = [TOLERANCES.get(name, (0.0, 0.0)) for name in names]
        return max(r for r, _ in found), max(a for _, a in found)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Returns None where ``actual`` and ``expected`` are close: ``|actual - expected| <= atol + rtol * |expected|``.

    Takes tensors, numbers, host arrays, and sequences and mappings of them. Raises AssertionError in torch's words,
    ValueError for one tolerance without the other, TypeError for what cannot be compared.

    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-6]))
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    tolerances = None if rtol is None or atol is None else (rtol, atol)
    rules = _Rules(
        tolerances,
        equal_nan=equal_nan,
        device=check_device,
        dtype=check_dtype,
        stride=check_stride,
        types=allow_subclasses,
        msg=msg,
    )
    _compare(actual, expected, (), rules)


def _compare(actual: Any, expected: Any, place: tuple[Any, ...], rules: _Rules) -> None:
    plain = (str, bytes)
    if (
        isinstance(actual, Sequence)
        and isinstance(expected, Sequence)
        and not isinstance(actual, plain)
        and not isinstance(expected, plain)
    ):
        if len(actual) != len(expected):
            raise rules.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            _compare(a, e, (*place, i), rules)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        _compare_mappings(actual, expected, place, rules)
    elif actual is None and expected is None:
        return
    elif isinstance(actual, (bool, np.bool_)) and isinstance(expected, (bool, np.bool_)):
        if bool(actual) is not bool(expected):
            raise rules.fail(f"Booleans mismatch: {actual} is not {expected}", place)
    elif isinstance(actual, numbers.Number) and isinstance(expected, numbers.Number):
        _compare_numbers(actual, expected, place, rules)
    elif _are_arrays(actual, expected, rules):
        _compare_arrays(actual, expected, place, rules)
    else:
        raise rules.fail(
            f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.",
            place,
            TypeError,
        )


def _are_arrays(actual: Any, expected: Any, rules: _Rules) -> bool:
    if not rules.types and type(actual) is not type(expected):
        return False
    return any(isinstance(actual, kind) and isinstance(expected, kind) for kind in (Tensor, np.ndarray))


def _compare_mappings(actual: Mapping[Any, Any], expected: Mapping[Any, Any], place: Any, rules: _Rules) -> None:
    missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    if missing or extra:
        raise rules.fail(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing)}\n"
            f"Additional keys in the actual mapping: {sorted(extra)}",
            place,
        )
    for key in actual:
        _compare(actual[key], expected[key], (*place, key), rules)


# --- numbers ---------------------------------------------------------------------------------------------------------


def _compare_numbers(actual: Any, expected: Any, place: tuple[Any, ...], rules: _Rules) -> None:
    if rules.dtype and type(actual) is not type(expected):
        raise rules.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
    names = [
        "complex128" if isinstance(x, complex) else "float64" if isinstance(x, float) else ""
        for x in (actual, expected)
    ]
    _check_scalar(actual, expected, *rules.pair(*names), place, rules)


def _check_scalar(actual: Any, expected: Any, rtol: float, atol: float, place: tuple[Any, ...], rules: _Rules) -> None:
    if actual == expected or (rules.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return
    absolute = abs(actual - expected)
    if cmath.isfinite(actual) and cmath.isfinite(expected) and absolute <= atol + rtol * abs(expected):
        return
    exact = rtol == 0 and atol == 0
    relative = absolute / abs(expected) if expected else math.inf
    allowed = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    raise rules.fail(
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{allowed[0]}\nRelative difference: {relative}{allowed[1]}",
        place,
    )


# --- arrays ----------------------------------------------------------------------------------------------------------


def _compare_arrays(actual: Any, expected: Any, place: tuple[Any, ...], rules: _Rules) -> None:
    tensors = isinstance(actual, Tensor)
    shapes = [t.shape if tensors else tuple(t.shape) for t in (actual, expected)]
    if shapes[0] != shapes[1]:
        raise rules.fail(f"The values for attribute 'shape' do not match: {shapes[0]} != {shapes[1]}.", place)
    if tensors and rules.device and actual.device != expected.device:
        raise rules.fail(
            f"The values for attribute 'device' do not match: {actual.device} != {expected.device}.", place
        )
    kinds = [t.dtype if tensors else dtype_of_host(t) for t in (actual, expected)]
    if rules.dtype and kinds[0] is not kinds[1]:
        raise rules.fail(f"The values for attribute 'dtype' do not match: {kinds[0]} != {kinds[1]}.", place)
    if tensors and rules.stride and lens_of(actual).strides != lens_of(expected).strides:
        raise rules.fail(
            "The values for attribute 'stride()' do not match: "
            f"{lens_of(actual).strides} != {lens_of(expected).strides}.",
            place,
        )
    rtol, atol = rules.pair(*(k.name for k in kinds))
    common = host_dtype(promote(*kinds))
    a, e = (np.asarray(to_host(t) if tensors else t).astype(common) for t in (actual, expected))
    if not a.shape:
        _check_scalar(_number(a), _number(e), rtol, atol, place, rules)
        return
    matches = _matches(a, e, rtol, atol, rules.equal_nan)
    if not matches.all():
        raise rules.fail(_differences(a, e, matches, rtol, atol), place)


def _number(a: Host) -> Any:
    value = a.item()
    return value if isinstance(value, (bool, int, float, complex)) else float(value)


def _matches(a: Host, e: Host, rtol: float, atol: float, equal_nan: bool) -> Host:
    same = a == e
    if a.dtype.kind in "biu" and rtol == 0 and atol == 0:
        return np.asarray(same)
    with np.errstate(all="ignore"):
        wide = _signed(a), _signed(e)
        close = np.abs(wide[0] - wide[1]) <= atol + rtol * np.abs(wide[1])
        close &= np.isfinite(wide[0]) & np.isfinite(wide[1])
        if equal_nan:
            close |= np.isnan(wide[0]) & np.isnan(wide[1])
    return np.asarray(same | close)


def _signed(a: Host) -> Host:
    return a.astype(np.int64) if a.dtype.kind in "bu" else a


def _differences(a: Host, e: Host, matches: Host, rtol: float, atol: float) -> str:
    wrong, count = int((~matches).sum()), matches.size
    exact = rtol == 0 and atol == 0
    with np.errstate(all="ignore"):
        a, e = _signed(a), _signed(e)
        absolute = np.abs(a - e)
        relative = absolute / np.abs(e)
        if a.dtype.kind == "i":
            relative = absolute.astype(np.float32) / np.abs(e).astype(np.float32)
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n",
        f"Mismatched elements: {wrong} / {count} ({wrong / count:.1%})",
    ]
    for name, values, allowed in (("absolute", absolute, atol), ("relative", relative, rtol)):
        values = np.where(matches, np.zeros_like(values), values)
        index = np.unravel_index(int(np.argmax(values)), values.shape)
        place = tuple(int(i) for i in index)
        up_to = "" if exact else f" (up to {allowed} allowed)"
        lines.append(f"Greatest {name} difference: {_number(values[index])} at index {place}{up_to}")
    return "\n".join(lines)


# --- make_tensor -----------------------------------------------------------------------------------------------------


def _interval(dtype: DType, low: float | None, high: float | None) -> tuple[float, float]:
    """Returns the limits of the values, [low, high), checked and brought into the dtype's range."""
    kind = host_dtype(dtype)
    if dtype.category == BOOL:
        lowest, highest, defaults = 0.0, 2.0, (0.0, 2.0)
    elif dtype.category == INTEGRAL:
        limits = np.iinfo(kind)
        lowest, highest = float(limits.min), float(int(limits.max) + 1)
        defaults = (0.0 if dtype.name == "uint8" else -9.0, 10.0)
    else:
        real = host_dtype(dtype.to_real())
        top = 3.3895313892515355e38 if dtype.name == "bfloat16" else float(np.finfo(real).max)
        lowest, highest, defaults = -top, top, (-9.0, 9.0)
    low, high = (defaults[0] if low is None else low), (defaults[1] if high is None else high)
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low > high or (low == high and dtype.category <= INTEGRAL):
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high <= lowest or low >= highest:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
            f"[{int(lowest) if dtype.category <= INTEGRAL else lowest}, "
            f"{int(highest) if dtype.category <= INTEGRAL else highest})"
        )
    return max(low, lowest), min(high, highest)


def _tiny(dtype: DType) -> float:
    """Returns the smallest normal number of a floating dtype; bfloat16 has float32's exponents."""
    wide = "float32" if dtype.name == "bfloat16" else dtype.to_real().name
    return float(np.finfo(wide).tiny)


def make_tensor(
    *shape: Any,
    dtype: DType,
    device: Device | str,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Returns a tensor of random values, uniform in ``[low, high)``, drawn from the default generator as torch does.

    The limits are [-9, 9) for floats, [-9, 10) for ints, [0, 10) for uint8 and {False, True} for bools. Raises
    ValueError for limits that make no sense, and for combinations that torch refuses.

    >>> torch.testing.make_tensor(2, 3, dtype=torch.float64, device="cpu").shape
    torch.Size([2, 3])
    """
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and "
            f"{memory_format=}"
        )
    if requires_grad and dtype.category <= INTEGRAL:
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}"
        )
    low, high = _interval(dtype, low, high)
    spread = noncontiguous and math.prod(sizes) > 1
    drawn = (*sizes[:-1], 2 * sizes[-1]) if spread else sizes
    if dtype.category <= INTEGRAL:
        out = FUNCTIONS["randint"](math.ceil(low), math.ceil(high), drawn, dtype=dtype, device=device)
    else:
        out = METHODS["uniform_"](FUNCTIONS["empty"](drawn, dtype=dtype, device=device), low, high)
    if spread:
        out = out[..., 1::2]
    if exclude_zero:
        tiny = 1 if dtype.category <= INTEGRAL else _tiny(dtype)
        out.masked_fill_(out == 0, tiny)
    if memory_format is not None:
        out = out.clone(memory_format=memory_format)
    result: Tensor = out
    if requires_grad:
        result.requires_grad_()
    return result
