"""The general path of a call: any number of arguments of any kind, with loops where the hot plans have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import (
    FLOATING,
    DType,
)
from dispatchtorch.dispatch.lifting import lifted
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import DTYPE, LIST, STATIC, TENSOR, Op
from dispatchtorch.dispatch.overriding import dispatch, overloaded_args, public_function, state
from dispatchtorch.dispatch.promotion import (
    NUMBERS,
    MixedBackendsError,
    combination_error,
    leading_key,
    pointwise_kernel,
    recover,
)
from dispatchtorch.dispatch.record import record, refresh, requires
from dispatchtorch.dispatch.resolve import kernel_for, result_key
from dispatchtorch.dispatch.sparse import SparseMet, redirect
from dispatchtorch.dispatch.strides import LAID_ALIKE, laid_like
from dispatchtorch.plugin.backend import KernelCall
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.tensor import Tensor, marked, new, read

__all__ = ["create", "finish", "general", "raw_result"]


def _as_tensor_error(op: Op, position: int, value: Any) -> TypeError:
    return TypeError(
        f"{op.name.strip('_')}(): argument '{op.params[position]}' (position {position + 1}) must be Tensor, "
        f"not {type(value).__name__}"
    )


def raw_result(op: Op, args: Sequence[Any]) -> tuple[Any, Key, DType | None]:
    """Returns the raw result of a call, the key that led it, and its dtype where the op's rule fixes it."""
    keys: list[Any] = []
    raws: list[Any] = []
    for position, (value, kind) in enumerate(zip(args, op.kinds, strict=True)):
        if kind == TENSOR:
            if isinstance(value, Tensor):
                if value._key.view:
                    refresh(value)
                keys.append(value._key)
                raws.append(read(value))
            elif isinstance(value, NUMBERS) and op.numbers[position]:
                if type(value) not in NUMBERS:  # a numpy.float64 or an IntEnum: what Python number it is
                    value = next(kind(value) for kind in NUMBERS if isinstance(value, kind))  # type: ignore[arg-type]  # tested
                keys.append(type(value))
                raws.append(value)
            elif value is None and op.defaults[position] is None:
                keys.append(None)
                raws.append(None)
            elif op.numbers[position] and type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
                value = value.item()
                keys.append(type(value))
                raws.append(value)
            elif op.pointwise and op.numbers == (False, True) and not op.name.startswith("_"):
                raise combination_error(op, [type(a).__name__ for a in args])
            else:
                raise _as_tensor_error(op, position, value)
        elif kind == LIST:
            for member in value:
                if not isinstance(member, Tensor):
                    raise _as_tensor_error(op, position, member)
                if member._key.view:
                    refresh(member)
                keys.append(member._key)
            raws.append([read(member) for member in value])
        else:
            raws.append(value)
    if op.pointwise:
        return _raw_pointwise(op, tuple(keys), raws)
    lead = leading_key(op, keys)
    for position, kind in enumerate(op.kinds):
        if kind == DTYPE and raws[position] is not None:
            raws[position] = lead.backend.dtype(raws[position].name)
    where = (lead.backend, lead.device, lead.dtype)
    kernel = op.kernels.get(where)
    if kernel is None:
        static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
        kernel = op.kernels[where] = kernel_for(op, lead, KernelCall(op.name, static))
    try:
        return kernel(*raws), lead, None
    except RuntimeWarning:  # where a program makes warnings errors
        return lead.backend.quiet(kernel)(*raws), lead, None


def _raw_pointwise(op: Op, keys: tuple[Any, ...], raws: list[Any]) -> tuple[Any, Key, DType | None]:
    known = tuple([k.fresh(k.zero_dim) if isinstance(k, Key) else k for k in keys])
    plan = op.kernels.get(known)
    if plan is None:
        filled = iter(known)
        aligned = tuple([next(filled) if kind == TENSOR else None for kind in op.kinds])
        plan = op.kernels[known] = pointwise_kernel(op, aligned)  # type: ignore[assignment]  # with its key and dtype
    kernel, lead, result = plan  # type: ignore[misc]  # as above
    try:
        return kernel(*raws), lead, result
    except (ValueError, TypeError, RuntimeWarning, OverflowError) as error:
        return recover(op, lead, kernel, raws, error), lead, result


def general(op: Op, args: Sequence[Any]) -> Any:
    """Returns the result of calling an op with all its arguments in the schema's order."""
    found = () if state.off else overloaded_args(args)
    if found and not (op.name.startswith("_") and isinstance(found[0], Tensor)):
        return dispatch(public_function(op.name.strip("_")) or op.entry, found, tuple(args), {})
    try:
        raw, lead, result = raw_result(op, args)
    except MixedBackendsError:
        again = lifted(op.kinds, args)
        if again is None:
            raise
        return general(op, again)
    except SparseMet:
        return redirect(op.name, args)
    return finish(op, args, raw, lead, result)


def finish(op: Op, args: Sequence[Any], raw: Any, lead: Key, result: DType | None) -> Any:
    """Returns the tensor, or the tuple of them, around a raw result, with its history."""
    several = isinstance(raw, (tuple, list))
    outs = [_result(r, lead, result) for r in (raw if several else (raw,))]
    wanted = op.rules and modes.grad and requires(args, op.kinds)
    if wanted and any(o._key.dtype.category >= FLOATING for o in outs):
        record(op, args, outs, several=several)
    if not lead.native and not several and (op.pointwise or op.name in LAID_ALIKE):
        return laid_like(outs[0], args) if _any_view(args) else outs[0]
    return tuple(outs) if several else outs[0]


def _any_view(args: Sequence[Any]) -> bool:
    return any(isinstance(a, Tensor) and a._key.view for a in args)


def create(op: Op, key: Key, args: Sequence[Any]) -> Tensor:
    """Returns the result of an op that takes no tensor, with the key's backend, device and dtype."""
    known: Any = op.kernels.get(key)
    if known is None:
        static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
        try:
            kernel = kernel_for(op, key, KernelCall(op.name, static))
        except SparseMet:
            return redirect(op.name, (key, *args))  # type: ignore[no-any-return]  # an entry of the list of sparse ops
        native, dtypes = key.backend.dtype(key.dtype.name), [i for i, kind in enumerate(op.kinds) if kind == DTYPE]
        known = (kernel, native, dtypes, key.backend.place, str(key.device), key.fresh(False), key.fresh(True))
        op.kernels[key] = known  # with what else a call needs
    kernel, native, dtypes, place, device, plain, zero = known
    given = [*args]
    for i in dtypes:
        given[i] = native
    t = new(Tensor)
    t._a = raw = place(kernel(*given), device)
    t._key = plain if raw.shape else zero
    t._edge = t._cell = t._extra = None
    if marking.on:
        t._key = marked(t._key)
    return t


def _result(raw: Any, lead: Key, result: DType | None) -> Tensor:
    t = new(Tensor)
    t._a = raw
    t._key = lead.as_dtype(result).fresh(not raw.shape) if result is not None else result_key(lead, raw)
    t._edge = t._cell = t._extra = None
    if marking.on:
        t._key = marked(t._key)
    return t
