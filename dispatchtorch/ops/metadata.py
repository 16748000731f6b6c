"""What changes a tensor object itself: `t_`, `squeeze_` and their kin, which view in place, and `resize_`.

A tensor becomes the view that the op of the same name would return; its storage, version counter and other views stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.record import check_inplace
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.pieces import as_strided
from dispatchtorch.ops.singleton import squeeze, unsqueeze
from dispatchtorch.ops.view import ints_of, named, t, transpose
from dispatchtorch.plugin.backend import Array
from dispatchtorch.tensor.lens import contiguous_lens, span
from dispatchtorch.tensor.sizes import numel
from dispatchtorch.tensor.tensor import Tensor, cell_of, extra_of, lens_of, storage_of

__all__ = ["resize_"]


def _become(target: Tensor, v: Tensor) -> Tensor:
    """Returns ``target``, which from now on is what the view ``v`` of it is."""
    mine, its = target._extra, v._extra
    assert its is not None  # every view has its place in a tree
    was_view = mine is not None and mine.base is not None
    requires = v._key.requires or target._key.requires
    target._key = target._key.fresh(not v._a.shape, requires, target._key.view)
    target._a = v._a
    if target._edge is not None or v._edge is not None:
        target._edge = v._edge if v._edge is not None else target._edge
    extra = extra_of(target)
    extra.lens, extra.stamp = its.lens, its.stamp
    if was_view:
        extra.replay = its.replay
    cell_of(target).version += 1
    return target


def _in_place(name: str, op: Callable[..., Tensor], node: str) -> None:
    def function(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_inplace(self, self._key.requires)
        if name == "t_" and len(self._a.shape) > 2:
            raise RuntimeError(f"t_() expects a tensor with <= 2 dimensions, but self is {len(self._a.shape)}D")
        v = op(self, *args, **kwargs)
        return self if v is self else named(_become(self, v), node)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Makes the tensor itself the view that `{name[:-1]}` returns, and returns it."
    METHODS[name] = function


_in_place("t_", t, "TBackward1")
_in_place("transpose_", transpose, "TransposeBackward1")
_in_place("swapaxes_", transpose, "TransposeBackward1")
_in_place("swapdims_", transpose, "TransposeBackward1")
_in_place("squeeze_", squeeze, "SqueezeBackward4")
_in_place("unsqueeze_", unsqueeze, "UnsqueezeBackward1")
_in_place("as_strided_", as_strided, "AsStridedBackward1")


def _grown(t: Tensor, count: int) -> None:
    """Gives the tensor's storage room for at least ``count`` elements; what it held is kept."""
    storage, key = storage_of(t), t._key
    xp = key.backend.namespace
    old = xp.reshape(storage.root, (-1,))
    if old.shape[0] >= count:
        return
    rest = xp.zeros((count - old.shape[0],), dtype=old.dtype)
    root: Array = xp.concatenate([old, rest])
    storage.root = root
    storage.stamp += 1


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Makes the tensor one of these sizes over its own storage, enlarged where it is too small, and returns it.

    New elements are zeros (torch leaves them undefined). RuntimeError for a tensor that requires a gradient.
    """
    shape = ints_of(sizes, "resize_")
    if self._key.requires:
        raise RuntimeError("cannot resize variables that require grad")
    if shape == tuple(self._a.shape):
        return self
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    lens = contiguous_lens(shape)._replace(offset=lens_of(self).offset)
    before = modes.grad
    modes.grad = False
    try:
        if numel(shape):
            _grown(self, span(lens))
        v = METHODS["as_strided"](self, shape, lens.strides, lens.offset)
    finally:
        modes.grad = before
    return _become(self, v)


METHODS["resize_"] = resize_
METHODS["resize_as_"] = lambda self, other, memory_format=None: resize_(self, tuple(other._a.shape))
