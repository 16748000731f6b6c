"""Plans: the path a call takes, built at the first call for a combination of keys and then only looked up.

The closures here, for elementwise ops of one and two arguments, hold no loop and no test that the keys have already
answered. Everything else has a plan that is written for it (`tailored`).
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
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import Node, next_seq
from dispatchtorch.dispatch.op import TENSOR, Op
from dispatchtorch.dispatch.promotion import NUMBERS, dtypes_of, pointwise_kernel, promoted, recover, widens
from dispatchtorch.dispatch.record import record, refresh
from dispatchtorch.dispatch.resolve import kernel_for
from dispatchtorch.dispatch.strides import keeping
from dispatchtorch.dispatch.tailored import make_tailored_entry
from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.tensor import Parameter, Tensor, cell_of, marked, new, read

__all__ = ["make_entry", "make_operator", "make_product_operator"]

_NOTHING: Final = (None, None)
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


def _checked_views(plan: Callable[..., Any], entry: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the plan for calls with tracked views: their history may have changed under them."""

    def checked(*args: Any) -> Any:
        changed = False
        for value in args:
            if isinstance(value, Tensor) and value._key.view:
                changed |= refresh(value)
        return entry(*args) if changed else plan(*args)

    return checked


def _unary_plan(op: Op, key: Key, entry: Callable[..., Any]) -> Callable[..., Any]:
    kernel, lead, result = pointwise_kernel(op, (key,))
    plain_key = lead.as_dtype(result).fresh(key.zero_dim)
    native = key.native

    def plain(x: Tensor) -> Tensor:
        raw = x._a if native else read(x)
        try:
            a = kernel(raw)
        except (ValueError, RuntimeWarning) as error:
            a = recover(op, lead, kernel, (raw,), error)
        t = new(Tensor)
        t._a = a
        t._key = plain_key
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    if not key.requires or not op.rules or result.category < FLOATING:
        return plain if not key.view else _checked_views(keeping(plain, native), entry)
    grad_key, saves, saves_out = plain_key.as_requires(True), op.saves[0], op.saves_out

    def recorded(x: Tensor) -> Tensor:
        t = plain(x)
        if modes.grad:
            record(op, (x,), (t,), several=False)
        return t

    def tracked(x: Tensor) -> Tensor:
        t = plain(x)
        mode = modes.grad
        if mode is True:
            t._key = grad_key
            node = t._edge = new(Node)
            node.op, node.seq, node.shape = op, next_seq(), t._a.shape
            node.edges = (x._edge or x,)
            node.versions = None
            if saves:
                node.saved = (x,)
                if x._cell is not None:
                    node.versions = (x._cell.version,)
            else:
                node.saved = (None,)
            if saves_out:
                node.out = ((t._a, grad_key, cell_of(t), 0),)
        elif mode:
            record(op, (x,), (t,), several=False)
        return t

    chosen = recorded if op.facts or anomaly.on or key.inference else tracked
    return chosen if not key.view else _checked_views(keeping(chosen, native), entry)


def _binary_plan(op: Op, first: Key, second: Any, entry: Callable[..., Any]) -> Callable[..., Any] | None:
    two = isinstance(second, Key)
    if not two and (second not in NUMBERS or not op.numbers[1]):
        return None
    if two and second.backend is not first.backend and (over := wrapping((first, second))) is not None:
        return lifting_plan(entry, over)
    kernel, lead, result = pointwise_kernel(op, (first, second))
    zero_dim = first.zero_dim and (not two or second.zero_dim)
    plain_key = lead.as_dtype(result).fresh(zero_dim)
    if first.native:
        common = dtypes_of(op, promoted((first, second)))[0]
        plain = _native_binary(
            op,
            kernel,
            lead,
            plain_key,
            two,
            common if second in (int, float) and not widens(op, common, (first, second)) else None,
        )
    else:
        plain = _lens_binary(op, kernel, lead, plain_key)
    view = first.view or (two and second.view)
    need_first, need_second = first.requires, two and second.requires
    if (need_first or need_second) and op.rules and result.category >= FLOATING:
        common = dtypes_of(op, promoted((first, second)))[0]
        if (need_first and first.dtype is not common) or (need_second and second.dtype is not common):
            return _casting(entry, common, need_first, need_second)
    if not (need_first or need_second) or not op.rules or result.category < FLOATING:
        return plain if not view else _checked_views(keeping(plain, first.native), entry)
    tracked = _tracked_binary(op, plain, plain_key.as_requires(True), need_first, need_second, two)
    if first.inference or (two and second.inference):
        return lambda x, y: general(op, (x, y))  # which refuses to save it
    return tracked if not view else _checked_views(keeping(tracked, first.native), entry)


def _casting(entry: Callable[..., Any], common: DType, first: bool, second: bool) -> Callable[..., Any]:
    """Returns a plan that casts what requires a gradient as an op of its own, so that its gradient is cast back."""

    def cast(x: Tensor, y: Any) -> Any:
        if not modes.grad:
            return entry(x.detach(), y.detach() if second else y)
        return entry(x.to(common) if first else x, y.to(common) if second else y)

    return cast


def _native_binary(op: Op, kernel: Kernel, lead: Key, key: Key, two: bool, common: DType | None) -> Callable[..., Any]:
    """Returns the plan of two tensors, or of a tensor and a number, which is made one of ``common`` once."""

    def tensors(x: Tensor, y: Tensor) -> Tensor:
        try:
            a = kernel(x._a, y._a)
        except (ValueError, RuntimeWarning) as error:
            a = recover(op, lead, kernel, (x._a, y._a), error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    known: dict[Any, Any] = {}  # numbers that were met, as the library likes them best
    bare = common is not None and lead.backend.takes_out(kernel_for(op, lead, KernelCall(op.name, (), False, True)))

    def converted(y: Any) -> Any:
        if (
            bare
            and common is not None
            and y
            and -_PLAIN < y < _PLAIN
            and len(known) < 256
            and (common.category >= FLOATING or y > 0)
        ):
            known[y] = lead.backend.number(y, common.name)  # never 0: 0.0 and -0.0 are one key
            return known[y]
        return y

    def number(x: Tensor, y: Any) -> Tensor:
        b = known.get(y)
        if b is None:
            b = converted(y)
        try:
            a = kernel(x._a, b)
        except (ValueError, RuntimeWarning, OverflowError) as error:
            a = recover(op, lead, kernel, (x._a, y), error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    return tensors if two else number


def _lens_binary(op: Op, kernel: Kernel, lead: Key, key: Key) -> Callable[..., Any]:
    def plain(x: Tensor, y: Any) -> Tensor:
        raws = (read(x), read(y) if isinstance(y, Tensor) else y)
        try:
            a = kernel(*raws)
        except (ValueError, TypeError, OverflowError) as error:
            a = recover(op, lead, kernel, raws, error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    return plain


def _tracked_binary(
    op: Op, plain: Callable[..., Any], grad_key: Key, need_first: bool, need_second: bool, two: bool
) -> Callable[..., Any]:
    needed = [rule for rule, need in zip(op.rules, (need_first, need_second), strict=False) if need]
    save_first, save_second = (any(i in rule.saves for rule in needed) for i in (0, 1))
    saves, saves_out = save_first or save_second, op.saves_out

    def recorded(x: Tensor, y: Any) -> Tensor:
        t: Tensor = plain(x, y)
        if modes.grad:
            record(op, (x, y), (t,), several=False)
        return t

    def tracked(x: Tensor, y: Any) -> Tensor:
        t: Tensor = plain(x, y)
        mode = modes.grad
        if mode is not True:
            if mode:
                record(op, (x, y), (t,), several=False)
            return t
        t._key = grad_key
        node = t._edge = new(Node)
        node.op = op
        node.seq = next_seq()
        node.shape = t._a.shape
        node.edges = ((x._edge or x) if need_first else None, (y._edge or y) if need_second else None)
        if saves:
            node.saved = (x if save_first else None, y if save_second else None)
            if (save_first and x._cell is not None) or (save_second and two and y._cell is not None):
                node.versions = (x._version, y._version if two else 0)
            else:
                node.versions = None
        else:
            node.saved, node.versions = _NOTHING, None
        if saves_out:
            node.out = ((t._a, grad_key, cell_of(t), 0),)
        return t

    return tracked if op.targets == (0, 1) and not op.facts and not anomaly.on else recorded
