"""In-place calls: the same kernels, written into the first argument; nothing is written until everything is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch.dispatch.general import raw_result
from dispatchtorch.dispatch.lifting import lifted_beside
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import DTYPE, LIST, TENSOR, Op
from dispatchtorch.dispatch.overlap import require_apart, require_distinct
from dispatchtorch.dispatch.overriding import dispatch, overloaded_args, public_function, state
from dispatchtorch.dispatch.promotion import MixedBackendsError, widens
from dispatchtorch.dispatch.record import check_inplace, keep_out, make_node, rebase, refresh, requires
from dispatchtorch.dispatch.resolve import kernel_for, writer_for
from dispatchtorch.dispatch.source import written
from dispatchtorch.dispatch.sparse import SparseMet, redirect_write
from dispatchtorch.plugin.backend import KernelCall
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.sparse import is_sparse_key
from dispatchtorch.tensor.storage import Cell
from dispatchtorch.tensor.tensor import Parameter, Tensor, cell_of, read, wrap, write

__all__ = ["can_cast", "inplace", "make_inplace", "require_castable", "require_shape", "write_raw"]


def can_cast(source: DType, target: DType) -> bool:
    """Returns whether torch writes a result of one dtype into a tensor of another: never down a category."""
    if source.category > target.category:
        return False
    return not (source.category == 1 and target.category == 0)


def require_castable(source: DType, target: DType) -> None:
    """Raises torch's error where a result of one dtype may not be written into a tensor of another."""
    if not can_cast(source, target):
        raise RuntimeError(f"result type {source.legacy} can't be cast to the desired output type {target.legacy}")


def require_shape(t: Tensor, shape: Sequence[int]) -> None:
    """Raises torch's error where a result of another shape would have to be written into ``t``."""
    mine, given = list(t._a.shape), list(shape)
    if mine != given:
        raise RuntimeError(f"output with shape {mine} doesn't match the broadcast shape {given}")


def make_inplace(op: Op) -> Callable[..., Any]:
    """Returns the in-place function of an op: ``add_`` for ``add``."""
    plans: dict[Any, Any] = {}
    op.inplace_plans = plans
    binary = op.pointwise and op.kinds == (TENSOR, TENSOR)

    def written_pair(input: Tensor, other: Any) -> Tensor:
        kind = type(other)
        if kind is Tensor or kind is Parameter:
            pair, given = (input._key, other._key), other._a
            cell = other._cell
            if cell is not None and cell.storage is not None and other is not input:
                require_apart(input, other, op.inputs)
        else:
            pair, given = (input._key, kind), other
        kernel = plans.get(pair)
        if kernel is None:
            kernel = plans[pair] = _fast_kernel(op, pair)
        if kernel is False:
            return inplace(op, (input, other))
        a = input._a
        try:
            kernel(a, given, a)
        except (ValueError, RuntimeWarning, OverflowError, TypeError):
            return inplace(op, (input, other))
        cell = input._cell
        if cell is None:
            cell = input._cell = Cell()
        cell.version += 1
        return input

    def general_entry(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if binary and len(args) == 1 and not kwargs:
            return written_pair(input, args[0])
        full = (input, *args) if not kwargs and len(args) + 1 == op.arity else op.bind_arguments((input, *args), kwargs)
        return inplace(op, full)

    entry: Any = written_pair if binary and op.params == ("input", "other") else general_entry
    if not op.pointwise and LIST not in op.kinds and DTYPE not in op.kinds:
        entry = _waiting_entry(op)
    entry.__name__ = entry.__qualname__ = op.name + "_"
    entry.__doc__ = f"Writes the result of `{op.name}` into the tensor and returns it.\n\n{op.doc}"
    entry.op = op
    return entry  # type: ignore[no-any-return]  # one of the functions above


def _fast_kernel(op: Op, pair: tuple[Any, Any]) -> Any:
    """Returns a kernel that takes ``out`` third, for plain tensors of one dtype on a native library; else False."""
    first, second = pair
    if not first.native or first.requires or first.view or first.inference:
        return False
    if op.dtype_rule != "same" and not (op.dtype_rule == "float" and first.dtype.category >= FLOATING):
        return False
    if isinstance(second, Key):
        if second.requires or second.view or second.dtype is not first.dtype or second.backend is not first.backend:
            return False
        if second.device != first.device:
            return False
    elif (
        second not in (bool, int, float)
        or (second is float) > first.dtype.is_floating_point
        or first.dtype.category == 0
    ):
        return False
    if widens(op, first.dtype, pair):
        return False
    if op.check is not None:
        op.check(pair, first.dtype)
    kernel = kernel_for(op, first, KernelCall(op.name, (), False, True))
    return kernel if first.backend.takes_out(kernel) else False


def _waiting_entry(op: Op) -> Callable[..., Tensor]:
    """Returns an in-place function that is written when it is first called, so that importing is not slower."""

    def entry(*args: Any) -> Tensor:
        made = op.entry.inplace = written(_writing_source(op), "in place", _NAMES)(op, op.inplace_plans)  # type: ignore[attr-defined]  # an entry has one
        return made(*args)  # type: ignore[no-any-return]  # its first argument

    return entry


def _writing_source(op: Op) -> str:
    """Returns the source of an op's in-place function: by the backend's writer, or else the general way."""
    args = "".join([f"a{i}, " for i in range(op.arity)])
    tensors = [i for i, kind in enumerate(op.kinds) if kind == TENSOR]
    keys = f"({''.join([f'a{i}._key, ' for i in tensors])})"
    shared = "".join([f" or a{i}._cell is not None or a{i} is a0" for i in tensors[1:]])
    raws = "".join([f"a{i}._a, " if i in tensors else f"a{i}, " for i in range(op.arity)])
    return "\n".join(
        [
            "def make(op, plans):",
            f"    def entry({args}):",
            "        try:",
            f"            keys = {keys}",
            "        except AttributeError:",
            f"            return inplace(op, ({args}))",
            "        writer = plans.get(keys)",
            "        if writer is None:",
            "            writer = plans[keys] = _writer(op, keys)",
            f"        if not writer or not a0._a.flags.c_contiguous{shared}:",
            f"            return inplace(op, ({args}))",
            f"        writer({raws})",
            "        cell = a0._cell",
            "        if cell is None:",
            "            cell = a0._cell = Cell()",
            "        cell.version += 1",
            "        return a0",
            "    return entry",
        ]
    )


def _writer(op: Op, keys: tuple[Key, ...]) -> Any:
    """Returns the backend's writer, for plain tensors of one native library and device; else False."""
    first = keys[0]
    if not all(key.simple and key.backend is first.backend and key.device == first.device for key in keys):
        return False
    return (not is_sparse_key(first) and writer_for(op, first.backend)) or False


def write_raw(t: Tensor, raw: Any) -> None:
    """Writes a raw result, cast to the tensor's dtype, into the tensor and counts the version."""
    if t._key.inference:
        check_inplace(t, False)
    native = t._key.backend.dtype(t._key.dtype.name)
    if raw.dtype != native:
        raw = raw.astype(native)
    write(t, raw)
    cell_of(t).version += 1


def inplace(op: Op, args: Sequence[Any]) -> Tensor:
    """Returns the first argument after the op's result was written into it, with its history."""
    found = () if state.off else overloaded_args(args)
    if found:
        public = public_function(op.name.strip("_") + "_") or op.entry
        return dispatch(public, found, tuple(args), {})  # type: ignore[no-any-return]  # whatever the class answers
    t: Tensor = args[0]
    for value, kind in zip(args, op.kinds, strict=True):
        if kind == TENSOR and isinstance(value, Tensor) and value._key.view and not (value is t and _is_odd_view(t)):
            refresh(value)
    differentiable = requires(args, op.kinds) and bool(op.rules)
    check_inplace(t, differentiable or t._key.requires)
    if op.name != "_fill":  # one number everywhere is the same for every order
        require_distinct(t)
    for value in args[1:]:
        if isinstance(value, Tensor) and (value is t or value._cell is not None):
            require_apart(t, value, op.inputs)
    try:
        raw, _, result = raw_result(op, args)
    except MixedBackendsError:
        again = lifted_beside(t, op, args)
        if again is None:
            raise
        return inplace(op, again)
    except SparseMet:
        return redirect_write(op.name, args)  # type: ignore[no-any-return]  # an entry of the list of sparse ops
    require_shape(t, raw.shape)
    if result is not None:
        require_castable(result, t._key.dtype)
    record = modes.grad and (differentiable or t._key.requires) and t._key.dtype.category >= 2
    if record:
        keeps_self = bool(op.saves) and op.saves[0]
        original = _frozen(t) if keeps_self else t
        node = make_node(op, (original, *args[1:]))
        if keeps_self and op.targets and op.targets[0] == 0:
            node.edges = ((t._edge or t) if t._key.requires else None, *node.edges[1:])
    write_raw(t, raw)
    if record:
        if op.saves_out:
            if modes.packing:
                keep_out(node, (wrap(read(t), t._key.as_requires(True)),))
            else:
                node.out = ((read(t), t._key.as_requires(True), t._cell, cell_of(t).version),)
        rebase(t, node, has_self=bool(op.targets) and op.targets[0] == 0)
    return t


def _is_odd_view(t: Tensor) -> bool:
    """Returns whether a write to this view is refused, which `check_inplace` says better than a look at its history."""
    return t._extra is not None and bool(t._extra.creation)


def _frozen(t: Tensor) -> Tensor:
    """Returns the values before the write, with the history they had."""
    copy = wrap(t._key.backend.copy(read(t)), t._key.fresh(t._key.zero_dim, t._key.requires))
    copy._edge = t._edge
    return copy


# what written source may name
_NAMES: Final[dict[str, Any]] = {"Cell": Cell, "__name__": __name__, "_writer": _writer, "inplace": inplace}
