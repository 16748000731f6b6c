"""View ops: a geometry function gives the part of the storage; aliasing, history and replay are the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.record import record, refresh
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.tensor import Extra, Tensor, lens_of, new, storage_of, view_of

__all__ = ["make_view", "track_view"]


def make_view(op: Op, native: Callable[..., Any] | None) -> Callable[..., Any]:
    """Returns the function of a view op, whose body maps the input's lens to one lens or several.

    ``native(raw, *args)`` may give the library's own view where that is the same one, or None.
    """
    geometry, arity = op.body, op.arity

    def entry(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) + 1 != arity:
            args = op.bind_arguments((input, *args), kwargs)[1:]
        if not isinstance(input, Tensor):
            if hasattr(type(input), "__torch_function__"):
                return type(input).__torch_function__(entry, (type(input),), (input, *args), {})
            raise TypeError(
                f"{op.name.strip('_')}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
            )
        key = input._key
        if key.view:
            refresh(input)
            key = input._key
        if native is not None and key.native:
            raw = native(input._a, *args)
            if raw is not None:
                if input._cell is None or input._cell.storage is None:
                    storage_of(input)
                v = new(Tensor)
                v._a = raw
                v._cell, v._edge = input._cell, None
                v._key = key.fresh(not raw.shape, False, True)
                track_view(op, entry, input, v, args, "")
                return v
        found = geometry(lens_of(input), *args)
        if type(found) is Lens:
            v = view_of(input, found)
            v._key = key.fresh(not found.shape, False, True)
            track_view(op, entry, input, v, args, "")
            return v
        return _several(op, entry, input, args, found)

    entry.__name__ = entry.__qualname__ = op.name
    entry.__doc__ = op.doc
    entry.op = op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    return entry


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
    op: Op, entry: Callable[..., Any], input: Tensor, args: tuple[Any, ...], found: Sequence[Lens]
) -> tuple[Tensor, ...]:
    views = []
    for i, lens in enumerate(found):
        v = view_of(input, lens)
        v._key = input._key.fresh(not lens.shape, False, True)
        track_view(None, _take(entry, i), input, v, args, f"multi:{op.name.title()}Backward0")
        views.append(v)
    if input._key.requires and modes.grad and views:
        record(op, (input, *args), views, several=True)
    return tuple(views)

