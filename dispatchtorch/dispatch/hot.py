"""Plans for primitives that are called often: products of matrices, and ops of one tensor such as reductions.

The path is as short as that of an elementwise op. Products have tensors of one dtype, which is the result's too; what
can be wrong with their keys is checked when the plan is built, what can be wrong with shapes only after the kernel has
refused them, both by the op's own ``check``. Ops of one tensor have a plan for each combination of other arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch.dispatch.general import general
from dispatchtorch.dispatch.lifting import lifting_plan, wrapping
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import Node, next_seq
from dispatchtorch.dispatch.op import DTYPE, STATIC, TENSOR, Op
from dispatchtorch.dispatch.plans import checked_views
from dispatchtorch.dispatch.promotion import leading_key
from dispatchtorch.dispatch.record import record
from dispatchtorch.dispatch.resolve import kernel_for, result_key
from dispatchtorch.dispatch.sparse import SparseMet, redirect
from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.tensor import Tensor, cell_of, marked, new, read

__all__ = ["make_hot_entry", "make_hot_operator"]

Check = Callable[..., None]
MOST: Final = 2048  # plans of one op; beyond that all are forgotten, for arguments may be numbers that never repeat


def make_hot_entry(op: Op, check: Check | None) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through.

    Its arguments are two tensors, or two and one that may be None, or one and values that are part of the plan.
    """
    if TENSOR not in op.kinds[1:]:
        entry = _static_entry(op)
    else:
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


# --- one tensor and values that are part of the plan ------------------------------------------------------------------


def _static_entry(op: Op) -> Callable[..., Any]:
    find, count = op.plans.get, op.arity - 1

    def entry(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            args = op.bind_arguments((input, *args), kwargs)[1:]
        try:
            plan = find((input._key, args))
        except (AttributeError, TypeError):  # no tensor, or an argument that is no key of a dict
            return general(op, (input, *args))
        if plan is None:
            if len(op.plans) >= MOST:
                op.plans.clear()
            plan = op.plans[input._key, args] = _static_plan(op, input, args, entry)
        return plan(input)

    return entry


def _static_plan(op: Op, input: Tensor, args: tuple[Any, ...], entry: Callable[..., Any]) -> Callable[..., Any]:
    key = input._key
    static = tuple([i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE)])
    try:
        kernel = kernel_for(op, key, KernelCall(op.name, static))
    except SparseMet:
        return lambda input: redirect(op.name, (input, *args))
    given = tuple([key.backend.dtype(a.name) if isinstance(a, DType) else a for a in args])
    failed = _failure(key, lambda raw: kernel(raw, *given), None)
    try:
        first = kernel(read(input), *given)
    except RuntimeWarning as error:
        first = failed(error, input)
    if isinstance(first, (tuple, list)):
        several = _several_plan(op, kernel, given, args, key, [result_key(key, raw) for raw in first])
        return _with_args(several, args, entry) if key.view else several
    result = result_key(key, first)
    plain_key, zero_key = result.fresh(False), result.fresh(True)

    def plain(x: Tensor) -> Tensor:
        try:
            a = kernel(x._a, *given)
        except RuntimeWarning as error:
            a = failed(error, x)
        t = new(Tensor)
        t._a = a
        t._key = plain_key if a.shape else zero_key
        t._edge = t._cell = t._extra = None
        if marking.on:
            t._key = marked(t._key)
        return t

    def through_lens(x: Tensor) -> Tensor:
        read(x)
        return plain(x)

    plan: Callable[..., Any] = plain if key.native else through_lens
    if key.requires and op.rules and result.dtype.category >= FLOATING:
        if key.inference:
            return lambda input: general(op, (input, *args))  # which refuses to save it
        plan = _tracked_static(op, plan, plain_key.as_requires(True), zero_key.as_requires(True), args, key)
    return _with_args(plan, args, entry) if key.view else plan


def _with_args(plan: Callable[..., Any], args: tuple[Any, ...], entry: Callable[..., Any]) -> Callable[..., Any]:
    return checked_views(plan, lambda x: entry(x, *args))


def _several_plan(
    op: Op, kernel: Kernel, given: tuple[Any, ...], args: tuple[Any, ...], key: Key, results: Sequence[Key]
) -> Callable[..., Any]:
    keys = [(r.fresh(False), r.fresh(True)) for r in results]
    failed = _failure(key, lambda raw: kernel(raw, *given), None)
    tracks = key.requires and bool(op.rules) and any(r.dtype.category >= FLOATING for r in results)

    def plan(x: Tensor) -> tuple[Tensor, ...]:
        raw = read(x)
        try:
            got = kernel(raw, *given)
        except RuntimeWarning as error:
            got = failed(error, x)
        outs = []
        for a, (plain_key, zero_key) in zip(got, keys):
            t = new(Tensor)
            t._a = a
            t._key = plain_key if a.shape else zero_key
            t._edge = t._cell = t._extra = None
            if marking.on:
                t._key = marked(t._key)
            outs.append(t)
        if tracks and modes.grad:
            record(op, (x, *args), outs, several=True)
        return tuple(outs)

    return plan


def _tracked_static(
    op: Op, plain: Callable[..., Any], key: Key, zero: Key, args: tuple[Any, ...], input_key: Key
) -> Callable[..., Any]:
    saves, saves_out = op.saves[0], op.saves_out
    kept = tuple([a if on else None for a, on in zip(args, op.saves[1:], strict=True)])
    shapes = tuple([fact.endswith("_shape") for fact in op.facts])
    dtype = input_key.dtype

    def tracked(x: Tensor) -> Tensor:
        t: Tensor = plain(x)
        mode = modes.grad
        if mode is not True or anomaly.on:
            if mode:
                record(op, (x, *args), (t,), several=False)
            return t
        shape = t._a.shape
        t._key = key if shape else zero
        node = t._edge = new(Node)
        node.op = op
        node.seq = next_seq()
        node.shape = shape
        node.edges = (x._edge or x,)
        node.saved = (x if saves else None, *kept, *[x._a.shape if is_shape else dtype for is_shape in shapes])
        node.versions = None
        if saves and x._cell is not None:
            node.versions = (x._cell.version, *[0] * (len(node.saved) - 1))
        if saves_out:
            node.out = ((t._a, t._key, cell_of(t), 0),)
        return t

    return tracked
