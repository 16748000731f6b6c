"""Questions that torch answers about tensors, dtypes and shapes without computing: what is it, what would it be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, of_number
from dispatchtorch._base.late import inspect
from dispatchtorch._base.memory_format import MemoryFormat, channels_last, channels_last_3d, contiguous_format
from dispatchtorch.dispatch.promotion import promoted
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.samples import unary
from dispatchtorch.tensor.lens import is_channels_last, is_channels_last_3d, is_contiguous
from dispatchtorch.tensor.tensor import Size, Tensor, lens_of

__all__ = ["broadcast_shapes", "isreal", "result_type", "typename"]

Question = Callable[[Tensor], bool]


def _asked(name: str, answer: Callable[..., Any], doc: str) -> Callable[..., Any]:
    """Returns a method as a function that refuses what is no tensor."""

    def function(input: Tensor) -> Any:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return answer(input)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


_ANSWERS: Final = {
    "is_conj": (lambda t: False, "Returns False: conjugates are computed, never marked."),
    "is_neg": (lambda t: False, "Returns False: negatives are computed, never marked."),
    "is_inference": (lambda t: METHODS["is_inference"](t), "Returns whether the tensor was made in inference mode."),
    "is_distributed": (lambda t: False, "Returns False: no tensor is spread over processes."),
    "is_nonzero": (bool, "Returns whether the only element is not zero; RuntimeError for another number of them."),
    "is_signed": (lambda t: t._key.dtype.is_signed, "Returns whether the dtype has negative values."),
    "get_device": (lambda t: METHODS["get_device"](t), "Returns the index of the device, -1 for the CPU."),
    "resolve_conj": (lambda t: t, "Returns the tensor itself: conjugates are computed, never marked."),
    "resolve_neg": (lambda t: t, "Returns the tensor itself: negatives are computed, never marked."),
}  # fmt: skip
for _name, (_answer, _doc) in _ANSWERS.items():
    FUNCTIONS[_name] = _asked(_name, _answer, _doc)
METHODS["is_nonzero"] = FUNCTIONS["is_nonzero"]
METHODS["is_distributed"] = FUNCTIONS["is_distributed"]


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Returns whether two tensors have the same shape."""
    for position, (name, value) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"is_same_size(): argument '{name}' (position {position}) must be Tensor, not {type(value).__name__}"
            )
    return tuple(input._a.shape) == tuple(other._a.shape)


@composite(method=True, samples=unary())
def isreal(input: Tensor) -> Tensor:
    """Returns whether each element is a real number: True for all but complex dtypes."""
    if input._key.dtype.is_complex:
        return METHODS["eq"](METHODS["imag"].__get__(input), 0)  # type: ignore[no-any-return]  # an entry of the table
    return FUNCTIONS["ones_like"](input, dtype=FUNCTIONS["eq"](input, input)._key.dtype)  # type: ignore[no-any-return]  # as above


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """Returns the dtype in which an op of two tensors or numbers computes.

    >>> torch.result_type(torch.tensor([1, 2]), 1.0)
    torch.float32
    """
    given = (tensor1, tensor2)
    if not all(isinstance(v, (Tensor, bool, int, float, complex)) for v in given):
        said = ", ".join(type(v).__name__ for v in given)
        raise TypeError(
            f"result_type() received an invalid combination of arguments - got ({said}), but expected one of:\n"
            " * (Tensor tensor, Tensor other)\n * (Number scalar, Tensor tensor)\n * (Tensor tensor, Number other)\n"
            " * (Number scalar1, Number scalar2)\n"
        )
    if not any(isinstance(v, Tensor) for v in given):
        kinds = [of_number(type(v)) for v in given]
        return max(kinds, key=lambda kind: kind.category)
    return promoted([v._key if isinstance(v, Tensor) else type(v) for v in given])


def broadcast_shapes(*shapes: Any) -> Size:
    """Returns the shape that tensors of these shapes broadcast to; RuntimeError where they do not.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    sequences = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    if any(n < 0 for s in sequences for n in s):
        raise ValueError("Attempting to broadcast a dimension with negative length!")
    out = [1] * max((len(s) for s in sequences), default=0)
    for index, shape in enumerate(sequences):
        for at in range(-1, -1 - len(shape), -1):
            if shape[at] in (1, out[at]):
                continue
            if out[at] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[at]} at {at}! Mismatching argument at index "
                    f"{index} had {shape}; but expected shape should be broadcastable to {out}"
                )
            out[at] = shape[at]
    return Size(out)


def typename(obj: Any, /) -> str:
    """Returns the type's name: of a tensor its legacy type, of anything else the qualified name.

    >>> torch.typename(torch.ones(1))
    'torch.FloatTensor'
    """
    if isinstance(obj, Tensor):
        return str(METHODS["type"](obj))
    if isinstance(obj, DType):
        return "torch.dtype"
    if isinstance(obj, Device):
        return "torch.device"
    named = obj if inspect.isclass(obj) or inspect.isfunction(obj) or inspect.isbuiltin(obj) else type(obj)
    module = (getattr(named, "__module__", "") or "").replace("dispatchtorch", "torch", 1)
    return named.__qualname__ if module in ("", "builtins") else f"{module}.{named.__qualname__}"


FUNCTIONS.update(
    {
        "is_same_size": is_same_size, "result_type": result_type, "broadcast_shapes": broadcast_shapes,
        "typename": typename,
    }
)  # fmt: skip


# --- the order of dims in memory -------------------------------------------------------------------------------------


_LAID_OUT: Final = {
    contiguous_format: is_contiguous, channels_last: is_channels_last, channels_last_3d: is_channels_last_3d,
}  # fmt: skip


def _dim_order(self: Tensor, *, ambiguity_check: bool | list[MemoryFormat] = False) -> tuple[int, ...]:
    """Returns the dims from the slowest to the fastest in memory.

    With ``ambiguity_check`` RuntimeError where several orders fit, or where several of the given memory formats do.

    >>> torch.ones(2, 3).t().dim_order()
    (1, 0)
    """
    listed = isinstance(ambiguity_check, list) and all(isinstance(f, MemoryFormat) for f in ambiguity_check)
    if not listed and not isinstance(ambiguity_check, bool):
        raise TypeError("The ambiguity_check argument must be a bool or a list of memory formats.")
    lens = lens_of(self)
    if ambiguity_check is not False and len(set(lens.strides)) < len(lens.strides):
        formats = ambiguity_check if isinstance(ambiguity_check, list) else []
        if sum(_LAID_OUT[f](lens) for f in formats if f in _LAID_OUT) != 1:
            raise RuntimeError(
                "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."
            )
        if sum(laid_out(lens) for laid_out in _LAID_OUT.values()) != 1:
            raise RuntimeError("The tensor does not have unique dim order.")
    return tuple(sorted(range(len(lens.shape)), key=lambda d: -lens.strides[d]))


METHODS["dim_order"] = _dim_order
