"""View ops: a geometry function gives the part of the storage; aliasing, history and replay are the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.overriding import dispatch, overloaded_args, public_function, state
from dispatchtorch.dispatch.record import record, refresh
from dispatchtorch.dispatch.sparse import redirect
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Extra, Parameter, Tensor, lens_of, new, storage_of, view_of

__all__ = ["attach", "make_view", "track_view"]


def make_view(
    op: Op, native: Callable[..., Any] | None, recast: Callable[..., DType] | None = None
) -> Callable[..., Any]:
    """Returns the function of a view op, whose body maps the input's lens to one lens or several.

    ``native(raw, *args)`` may give the library's own view, or a list of them, where that is the same one; else None.
    ``recast(dtype, *args)`` gives the dtype of a view that reads the bits as another one.
    """
    geometry, arity = op.body, op.arity

    def entry(input: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) + 1 != arity:
            args = op.bind_arguments((input, *args), kwargs)[1:]
        kind = type(input)
        if kind is not Tensor and kind is not Parameter:
            if kind is SparseTensor:
                return redirect(op.name, (input, *args))
            if not isinstance(input, Tensor):
                return _foreign(op, entry, input, args)
        if native is not None and input._key.native:
            raw = native(input._a, *args)
            if raw is not None:
                if type(raw) is list:
                    refresh(input)
                    return _several(op, entry, input, args, [_native_view(input, one) for one in raw])
                return attach(entry, input, raw, args) if recast is None else _recast(entry, input, raw, args, recast)
        if input._key.view:
            refresh(input)
        found = geometry(lens_of(input), *args)
        if type(found) is not Lens:
            return _several(op, entry, input, args, [view_of(input, lens) for lens in found])
        key, dtype = input._key, None
        if recast is not None:
            dtype = recast(key.dtype, *args)
            key = key.as_dtype(dtype)
        v = view_of(input, found, dtype)
        v._key = key.views()[not found.shape]
        track_view(op, entry, input, v, args, "")
        return v

    entry.__name__ = entry.__qualname__ = op.name
    entry.__doc__ = op.doc
    entry.op = op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    return entry


def attach(entry: Callable[..., Any], input: Tensor, raw: Any, args: tuple[Any, ...]) -> Tensor:
    """Returns ``entry(input, *args)``, a view of ``input`` whose array ``raw`` a native library has just made.

    What `track_view` does, without a call: half the cost of a view is its book-keeping.
    """
    key = input._key
    if key.view and refresh(input):
        key = input._key
    cell = input._cell
    if cell is None or cell.storage is None:
        storage_of(input)
        cell = input._cell
    v = new(Tensor)
    v._a = raw
    v._cell = cell
    v._edge = None
    v._key = (key._views or key.views())[not raw.shape]
    extra = v._extra = new(Extra)
    above = input._extra
    if above is None or above.base is None:
        extra.base = input
        extra.replay = ((entry, args),)
    else:
        extra.base = above.base
        extra.replay = (*above.replay, (entry, args))
        if above.creation:
            extra.creation = above.creation
    extra.seen = cell.rebased  # type: ignore[union-attr]  # storage_of has made it
    if not modes.grad:
        extra.creation = "no_grad"
    elif key.requires:
        record(entry.op, (input, *args), (v,), several=False)  # type: ignore[attr-defined]  # an entry knows its op
    return v


def _recast(
    entry: Callable[..., Any], input: Tensor, raw: Any, args: tuple[Any, ...], recast: Callable[..., DType]
) -> Tensor:
    """Returns a view that reads the bits as another dtype."""
    v = attach(entry, input, raw, args)
    dtype = recast(input._key.dtype, *args)
    v._key = v._key.as_dtype(dtype)
    if v._key.requires and dtype.category < FLOATING:
        v._key, v._edge = v._key.as_requires(False), None
    return v


def _foreign(op: Op, entry: Callable[..., Any], input: Any, args: tuple[Any, ...]) -> Any:
    found = overloaded_args((input,))
    if found and not state.off:
        return dispatch(public_function(op.name.strip("_")) or entry, found, (input, *args), {})
    raise TypeError(f"{op.name.strip('_')}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def _native_view(input: Tensor, raw: Any) -> Tensor:
    storage_of(input)
    v = new(Tensor)
    v._a, v._cell, v._edge, v._extra = raw, input._cell, None, None
    return v


def track_view(
    op: Op | None, entry: Callable[..., Any], parent: Tensor, v: Tensor, args: tuple[Any, ...], creation: str
) -> None:
    """Gives a view its place in the view tree, and a node of ``op``, if given, where the parent requires a gradient."""
    above = parent._extra
    extra = v._extra
    if extra is None:
        extra = v._extra = Extra()
    step = (entry, args)
    if above is None or above.base is None:
        extra.base, extra.replay = parent, (step,)
    else:
        extra.base, extra.replay = above.base, (*above.replay, step)
        creation = creation or above.creation
    cell = v._cell
    extra.seen = 0 if cell is None else cell.rebased
    if not modes.grad:
        extra.creation = "no_grad"
        return
    extra.creation = creation
    if op is not None and parent._key.requires:
        record(op, (parent, *args), (v,), several=False)


def _take(entry: Callable[..., Any], i: int) -> Callable[..., Any]:
    def take(t: Tensor, *args: Any) -> Any:
        return entry(t, *args)[i]

    return take


def _several(
    op: Op, entry: Callable[..., Any], input: Tensor, args: tuple[Any, ...], views: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    creation = f"multi:{op.node_name(None)}"  # type: ignore[arg-type]  # several views: a fixed name
    for i, v in enumerate(views):
        v._key = input._key.views()[not v._a.shape]
        track_view(None, _take(entry, i), input, v, args, creation)
    if input._key.requires and modes.grad and views:
        record(op, (input, *args), views, several=True)
    return tuple(views)
