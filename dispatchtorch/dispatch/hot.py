"""Plans for products of matrices, which are called often: a path as short as that of an elementwise op.

Their tensors have one dtype, which is the result's too. What can be wrong with their keys is checked when the plan is
built, what can be wrong with shapes only after the kernel has refused them, both by the op's own ``check``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.dispatch.general import general
from dispatchtorch.dispatch.lifting import lifting_plan, wrapping
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import Node, next_seq
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.plans import checked_views
from dispatchtorch.dispatch.promotion import leading_key
from dispatchtorch.dispatch.record import record
from dispatchtorch.dispatch.resolve import kernel_for
from dispatchtorch.dispatch.sparse import SparseMet, redirect
from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.tensor import Tensor, cell_of, marked, new, read

__all__ = ["make_hot_entry", "make_hot_operator"]

Check = Callable[..., None]


def make_hot_entry(op: Op, check: Check | None) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through: of two tensors, or two and one that may be None."""
    entry = _pair_entry(op, check) if op.arity == 2 else _triple_entry(op, check)
    entry.__name__ = entry.__qualname__ = op.name
    entry.__doc__ = op.doc
    entry.__module__ = op.body.__module__
    entry.op = op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    return entry


def _pair_entry(op: Op, check: Check | None) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Tensor, other: Tensor) -> Any:
        try:
            pair = (input._key, other._key)
        except AttributeError:
            return general(op, (input, other))
        plan = find(pair)
        if plan is None:
            plan = op.plans[pair] = _plan(op, pair, (input, other), check, entry)
        return plan(input, other)

    return entry


def _triple_entry(op: Op, check: Check | None) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
        try:
            keys = (input._key, weight._key, None if bias is None else bias._key)
        except AttributeError:
            return general(op, (input, weight, bias))
        plan = find(keys)
        if plan is None:
            plan = op.plans[keys] = _plan(op, keys, (input, weight, bias), check, entry)
        return plan(input, weight, bias)

    return entry


def make_hot_operator(entry: Callable[..., Any]) -> Callable[..., Any]:
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


def _plan(
    op: Op, keys: Sequence[Key | None], args: tuple[Any, ...], check: Check | None, entry: Callable[..., Any]
) -> Callable[..., Any]:
    over = wrapping(keys)
    if over is not None:
        return lifting_plan(entry, over)
    try:
        lead = leading_key(op, keys)
        if check is not None:
            check(*args)
        kernel = kernel_for(op, lead, KernelCall(op.name))
    except SparseMet:
        return lambda *args: redirect(op.name, args)
    plain_key, zero_key = lead.fresh(False), lead.fresh(True)
    failed = _failure(lead, kernel, check)
    plain = _plain_pair if len(keys) == 2 else _plain_triple
    plan = plain(kernel, plain_key, zero_key, failed, lead.native)
    needs = tuple([key is not None and key.requires for key in keys])
    if any(needs) and op.rules and lead.dtype.category >= FLOATING:
        if any(key is not None and key.inference for key in keys):
            return lambda *args: general(op, args)  # which refuses to save it
        tracked = _tracked_pair if len(keys) == 2 else _tracked_triple
        plan = tracked(op, plan, plain_key.as_requires(True), zero_key.as_requires(True), needs)
    return checked_views(plan, entry) if any(key is not None and key.view for key in keys) else plan


def _failure(lead: Key, kernel: Kernel, check: Check | None) -> Callable[..., Any]:
    def failed(error: Exception, *args: Any) -> Any:
        if check is not None:
            check(*args)
        if isinstance(error, RuntimeWarning):
            return lead.backend.quiet(kernel)(*[None if t is None else read(t) for t in args])
        raise error

    return failed


def _plain_pair(kernel: Kernel, key: Key, zero: Key, failed: Callable[..., Any], native: bool) -> Callable[..., Any]:
    def plain(x: Tensor, y: Tensor) -> Tensor:
        try:
            a = kernel(x._a, y._a)
        except Exception as error:
            a = failed(error, x, y)
        t = new(Tensor)
        t._a = a
        t._key = key if a.shape else zero
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    def through_lens(x: Tensor, y: Tensor) -> Tensor:
        read(x)
        read(y)
        return plain(x, y)

    return plain if native else through_lens


def _plain_triple(kernel: Kernel, key: Key, zero: Key, failed: Callable[..., Any], native: bool) -> Callable[..., Any]:
    def plain(x: Tensor, y: Tensor, z: Tensor | None) -> Tensor:
        try:
            a = kernel(x._a, y._a, None if z is None else z._a)
        except Exception as error:
            a = failed(error, x, y, z)
        t = new(Tensor)
        t._a = a
        t._key = key if a.shape else zero
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    def through_lens(x: Tensor, y: Tensor, z: Tensor | None) -> Tensor:
        read(x)
        read(y)
        if z is not None:
            read(z)
        return plain(x, y, z)

    return plain if native else through_lens


def _saving(op: Op, needs: Sequence[bool]) -> tuple[list[bool], list[int]]:
    """Returns which arguments the needed derivatives name, and whose shapes they name."""
    wanted = [rule for rule in op.rules if needs[rule.positions[0]]]
    saves = [any(i in rule.saves for rule in wanted) for i in range(op.arity)]
    return saves, [op.params.index(fact.rpartition("_")[0]) for fact in op.facts]


def _tracked_pair(op: Op, plain: Callable[..., Any], key: Key, zero: Key, needs: Sequence[bool]) -> Callable[..., Any]:
    (save_first, save_second), facts = _saving(op, needs)
    need_first, need_second = needs
    saves_out = op.saves_out

    def tracked(x: Tensor, y: Tensor) -> Tensor:
        t: Tensor = plain(x, y)
        mode = modes.grad
        if mode is not True or anomaly.on:
            if mode:
                record(op, (x, y), (t,), several=False)
            return t
        shape = t._a.shape
        t._key = key if shape else zero
        node = t._edge = new(Node)
        node.op = op
        node.seq = next_seq()
        node.shape = shape
        node.edges = ((x._edge or x) if need_first else None, (y._edge or y) if need_second else None)
        first, second = x if save_first else None, y if save_second else None
        node.saved = (first, second, *[(y if i else x)._a.shape for i in facts]) if facts else (first, second)
        if (save_first and x._cell is not None) or (save_second and y._cell is not None):
            node.versions = (x._version, y._version, *[0 for _ in facts])
        else:
            node.versions = None
        if saves_out:
            node.out = ((t._a, t._key, cell_of(t), 0),)
        return t

    return tracked


def _tracked_triple(
    op: Op, plain: Callable[..., Any], key: Key, zero: Key, needs: Sequence[bool]
) -> Callable[..., Any]:
    (save_first, save_second, save_third), facts = _saving(op, needs)
    need_first, need_second, need_third = needs

    def tracked(x: Tensor, y: Tensor, z: Any) -> Tensor:
        t: Tensor = plain(x, y, z)
        mode = modes.grad
        if mode is not True or anomaly.on or op.saves_out:
            if mode:
                record(op, (x, y, z), (t,), several=False)
            return t
        shape = t._a.shape
        t._key = key if shape else zero
        node = t._edge = new(Node)
        node.op = op
        node.seq = next_seq()
        node.shape = shape
        node.edges = (
            (x._edge or x) if need_first else None,
            (y._edge or y) if need_second else None,
            (z._edge or z) if need_third else None,
        )
        kept = (x if save_first else None, y if save_second else None, z if save_third else None)
        given = (x, y, z)
        node.saved = (*kept, *[None if given[i] is None else given[i]._a.shape for i in facts]) if facts else kept
        node.versions = None
        if x._cell is not None or y._cell is not None or (z is not None and z._cell is not None):
            node.versions = (x._version, y._version, 0 if z is None else z._version, *[0 for _ in facts])
        return t

    return tracked
