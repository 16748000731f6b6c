"""Plans: the path a call takes, built at the first call for a combination of keys and then only looked up.

Here are entries, operators and the choice of a plan for elementwise ops of one and two arguments; what a plan does is
written by `tailored`, and so are the entries of all other ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.dtypes import (
    FLOATING,
    DType,
)
from dispatchtorch.dispatch.general import general
from dispatchtorch.dispatch.lifting import lifting_plan, wrapping
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import TENSOR, Op
from dispatchtorch.dispatch.promotion import NUMBERS, dtypes_of, pointwise_kernel, promoted, widens
from dispatchtorch.dispatch.resolve import kernel_for
from dispatchtorch.dispatch.tailored import make_tailored_entry, written_plan
from dispatchtorch.plugin.backend import Backend, KernelCall
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = ["make_entry", "make_operator", "make_product_operator"]

_KEPT: Final = 256  # numbers of one plan
_PLAIN: Final = 128  # below it, every dtype holds a number without complaint


def make_entry(op: Op) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through."""
    if op.pointwise and op.kinds == (TENSOR,):
        entry = _unary_entry(op)
    elif op.pointwise and len(op.kinds) == 2 and op.kinds == (TENSOR, TENSOR):
        entry = _binary_entry(op)
    else:
        entry = make_tailored_entry(op)
    entry.__name__ = entry.__qualname__ = op.name
    entry.__doc__ = op.doc
    entry.__module__ = op.body.__module__
    entry.op = op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    return entry


def _unary_entry(op: Op) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Any) -> Any:
        kind = type(input)
        if kind is Tensor or kind is Parameter:
            plan = find(input._key)
            if plan is None:
                plan = op.plans[input._key] = _unary_plan(op, input._key, entry)
            return plan(input)
        return general(op, (input,))

    return entry


def _binary_entry(op: Op) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Any, other: Any) -> Any:
        kind, second = type(input), type(other)
        if kind is Tensor or kind is Parameter:
            pair = (input._key, other._key if second is Tensor or second is Parameter else second)
            plan = find(pair)
            if plan is None:
                plan = _binary_plan(op, pair[0], pair[1], entry)
                if plan is None:
                    return general(op, (input, other))
                op.plans[pair] = plan
            return plan(input, other)
        return general(op, (input, other))

    return entry


def make_operator(entry: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Returns a two-argument entry as Python's operator: NotImplemented for what no tensor op takes."""
    op: Op = entry.op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    find = op.plans.get

    def operator(self: Tensor, other: Any) -> Any:
        second = type(other)
        try:
            plan = find((self._key, other._key if second is Tensor or second is Parameter else second))
        except AttributeError:
            if hasattr(self, "_key"):
                raise
            kind = type(self).__name__
            raise TypeError(
                f"descriptor '{name}' for 'torch._C.TensorBase' objects doesn't apply to a '{kind}' object"
            ) from None
        if plan is not None:
            return plan(self, other)
        if isinstance(other, (Tensor, *NUMBERS)) or hasattr(second, "__torch_function__"):
            return entry(self, other)
        if second.__module__ == "numpy" and getattr(other, "shape", None) == () and not hasattr(other, "__setitem__"):
            return entry(self, other.item())
        return NotImplemented

    operator.__name__ = operator.__qualname__ = op.name
    operator.__doc__ = op.doc
    return operator


def make_product_operator(entry: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a two-tensor entry as Python's operator: NotImplemented for what is no tensor."""
    op: Op = entry.op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    find = op.plans.get

    def operator(self: Tensor, other: Any) -> Any:
        try:
            plan = find((self._key, other._key))
        except AttributeError:
            return entry(self, other) if hasattr(type(other), "__torch_function__") else NotImplemented
        return entry(self, other) if plan is None else plan(self, other)

    operator.__name__ = operator.__qualname__ = op.name
    operator.__doc__ = op.doc
    return operator


def _unary_plan(op: Op, key: Key, entry: Callable[..., Any]) -> Callable[..., Any]:
    kernel, lead, result = pointwise_kernel(op, (key,))
    if key.requires and key.inference:
        return lambda x: general(op, (x,))  # which refuses to save it
    return written_plan(op, entry, "v" if key.view else "t", (key,), kernel, lead, result)


def _binary_plan(op: Op, first: Key, second: Any, entry: Callable[..., Any]) -> Callable[..., Any] | None:
    two = isinstance(second, Key)
    if not two and (second not in NUMBERS or not op.numbers[1]):
        return None
    if two and second.backend is not first.backend and (over := wrapping((first, second))) is not None:
        return lifting_plan(entry, over)
    kernel, lead, result = pointwise_kernel(op, (first, second))
    need_first, need_second = first.requires, two and second.requires
    common = dtypes_of(op, promoted((first, second)))[0]
    if (need_first or need_second) and op.rules and result.category >= FLOATING:
        if (need_first and first.dtype is not common) or (need_second and second.dtype is not common):
            return _casting(entry, common, need_first, need_second)
        if first.inference or (two and second.inference):
            return lambda x, y: general(op, (x, y))  # which refuses to save it
    forms, converted = "v" if first.view else "t", None
    if two:
        forms += "v" if second.view else "t"
    elif first.native and second in (int, float) and not widens(op, common, (first, second)):
        converted = _converted(op, lead, common)
        forms += "s" if converted is None else "n"
    else:
        forms += "s"
    return written_plan(op, entry, forms, (first, second), kernel, lead, result, converted=converted)


def _casting(entry: Callable[..., Any], common: DType, first: bool, second: bool) -> Callable[..., Any]:
    """Returns a plan that casts what requires a gradient as an op of its own, so that its gradient is cast back."""

    def cast(x: Tensor, y: Any) -> Any:
        if not modes.grad:
            return entry(x.detach(), y.detach() if second else y)
        return entry(x.to(common) if first else x, y.to(common) if second else y)

    return cast


class _Converted(dict[Any, Any]):
    """Numbers that were met, as the library likes them best; those that are not kept are as they came."""

    def __init__(self, backend: Backend, common: DType) -> None:
        super().__init__()
        self.backend, self.common = backend, common

    def __missing__(self, y: Any) -> Any:
        # never 0: 0.0 and -0.0 are one key
        if y and -_PLAIN < y < _PLAIN and len(self) < _KEPT and (self.common.category >= FLOATING or y > 0):
            self[y] = self.backend.number(y, self.common.name)
            return self[y]
        return y


def _converted(op: Op, lead: Key, common: DType) -> _Converted | None:
    """Returns the numbers of one plan, to be met; None where the kernel does not care."""
    if not lead.backend.takes_out(kernel_for(op, lead, KernelCall(op.name, (), False, True))):
        return None
    return _Converted(lead.backend, common)
