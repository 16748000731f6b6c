"""`tensor[...]` and `tensor[...] = value`: integers, slices, None, Ellipsis, booleans, tensors, sequences, all mixed.

What is basic becomes a chain of views; tensors and sequences that remain go to `index`, with the dims they index.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from operator import index as as_index
from typing import Any

from dispatchtorch._base.dtypes import FLOATING, int64
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.dispatch.views import attach, track_view
from dispatchtorch.ops.index import _index, index_by, mask_positions, put_by
from dispatchtorch.ops.pieces import _select, _slice
from dispatchtorch.ops.singleton import expand, unsqueeze
from dispatchtorch.ops.view import _alias, named, reshape
from dispatchtorch.tensor.pieces import basic_index
from dispatchtorch.tensor.tensor import Tensor, cell_of, lens_of, view_of

Spec = dict[int, Tensor]  # dimension of the view -> the tensor that indexes it

NOT_AN_INDEX = (
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {})"
)
ZERO_DIM = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim "
    "tensor to a number"
)
NON_TUPLE = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
    "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], "
    "which will result either in an error or a different result"
)


def _take_one(t: Tensor, dim: int, index: int, position: int) -> Tensor:
    """Returns the view of one index, with the subscript's own error."""
    shape = t._a.shape
    if not shape:
        raise IndexError(ZERO_DIM)
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(f"index {index} is out of bounds for dimension {position} with size {shape[dim]}")
    return _select(t, dim, index)


def _take_range(t: Tensor, dim: int, part: slice, always: bool) -> Tensor:
    if not t._a.shape:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    start, stop, step = [None if v is None else as_index(v) for v in (part.start, part.stop, part.step)]
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step is not None and step < 0:
        raise ValueError("step must be greater than zero")
    size = int(t._a.shape[dim])
    if not always and step in (None, 1) and slice(start, stop).indices(size)[:2] == (0, size):
        return t
    return _slice(t, dim, start, stop, step or 1)


def _items(index: Any) -> tuple[Any, ...]:
    """Returns the subscript as a tuple of items; a list that holds more than numbers is taken for a tuple."""
    if type(index) is tuple:
        return index
    if isinstance(index, tuple):
        return tuple(index)
    if isinstance(index, list) and len(index) < 32:
        kinds = (Tensor, list, tuple, slice, range)
        if any(isinstance(i, kinds) or i is None or i is Ellipsis or _is_array(i) for i in index):
            warnings.warn(NON_TUPLE, UserWarning, stacklevel=4)
            return tuple(index)
    return (index,)


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and bool(getattr(value, "shape", ()))


def _as_tensor(value: Any, like: Tensor) -> Tensor:
    key = like._key
    t: Tensor = FUNCTIONS["tensor"](value, device=key.device, backend=key.backend)
    if (not t._a.size and t._key.dtype.is_floating_point) or (t._key.dtype.is_floating_point and not _is_array(value)):
        t = METHODS["long"](t)
    return t


def _width(item: Any) -> int:
    """Returns how many dims an item uses up."""
    if item is None or item is Ellipsis or item is True or item is False:
        return 0
    if isinstance(item, Tensor) and item._key.dtype.name in ("bool", "uint8"):
        return len(item._a.shape)
    return 1


def _prepared(t: Tensor, index: Any) -> Iterator[Any]:
    for item in _items(index):
        yield _as_tensor(item, t) if isinstance(item, (list, tuple, range)) or _is_array(item) else item


def _unpack(t: Tensor, index: Any) -> tuple[Tensor, Spec]:
    """Returns the view that the basic items make, and which of its dims tensors index."""
    items = list(_prepared(t, index))
    ndim = len(t._a.shape)
    used = sum([_width(item) for item in items])
    if used > ndim:
        if ndim == 0 and len(items) == 1:
            if isinstance(items[0], slice):
                raise IndexError("slice() cannot be applied to a 0-dim tensor.")
            if hasattr(items[0], "__index__") and not isinstance(items[0], Tensor):
                raise IndexError(ZERO_DIM)
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    v = t
    spec: Spec = {}
    dim = 0
    for position, item in enumerate(items):
        if type(item) is int:
            v = _take_one(v, dim, item, position)
        elif isinstance(item, slice):
            v = _take_range(v, dim, item, len(items) == 1 and not isinstance(index, tuple))
            dim += 1
        elif item is None:
            v = unsqueeze(v, dim)
            dim += 1
        elif item is Ellipsis:
            dim += ndim - used
        elif isinstance(item, bool):
            v = unsqueeze(v, dim)
            spec[dim] = _as_tensor([0] if item else [], t)
            dim += 1
        elif isinstance(item, Tensor):
            if not item._a.shape and item._key.dtype.category < 2 and item._key.backend.below is None:
                value = METHODS["item"](item)
                if item._key.dtype.name in ("bool", "uint8"):
                    v = unsqueeze(v, dim)
                    spec[dim] = _as_tensor([0] if value else [], t)
                    dim += 1
                else:
                    v = _take_one(v, dim, value, position)
                continue
            spec[dim] = item
            dim += max(_width(item), 1)
        else:
            v = _take_one(v, dim, _check_item(item), position)
    return v, spec


def _check_item(item: Any) -> int:
    try:
        return as_index(item)
    except TypeError:
        raise IndexError(NOT_AN_INDEX.format(type(item).__name__)) from None


def _is_plain(index: tuple[Any, ...]) -> bool:
    """Returns whether a subscript holds only what any library reads as torch does: integers, forward slices, a gap."""
    gaps = 0
    for item in index:
        kind = type(item)
        if kind is slice:
            step = item.step
            if step is not None and (type(step) is not int or step <= 0):
                return False
        elif item is Ellipsis:
            gaps += 1
        elif kind is not int:
            return False
    return gaps < 2 and len(index) > 0


def _plain_view(self: Tensor, index: tuple[Any, ...]) -> Tensor | None:
    """Returns the library's own view of a plain subscript in one step; None where history is kept, or for an error."""
    if self._key.view:
        refresh(self)
    if (self._key.requires and modes.grad) or not _is_plain(index):
        return None
    if not self._key.native:
        lens = basic_index(lens_of(self), index)
        v = view_of(self, lens)
        v._key = self._key.views()[not lens.shape]
        track_view(None, get_item, self, v, (index,), "")
        return v
    try:
        raw = self._a[index if Ellipsis in index else (*index, ...)]
    except IndexError:
        return None
    if not raw.size:
        return None
    return attach(get_item, self, raw, (index,))


def get_item(self: Tensor, index: Any) -> Tensor:
    """Returns a view for a basic subscript, a copy where tensors or sequences take part."""
    if type(index) is int:
        if self._key.native:
            try:
                return attach(_select, self, self._a[index, ...], (0, index))
            except IndexError:  # in torch's words, below
                pass
        return _take_one(self, 0, index, 0)
    if type(index) is slice:
        return _take_range(self, 0, index, True)
    if type(index) is tuple:
        plain = _plain_view(self, index)
        if plain is not None:
            return plain
    if type(index) is Tensor and index._key.dtype is int64 and index._a.shape and self._a.shape and self._key.native:
        try:
            return _index(self, [index], (0,))
        except IndexError:  # in torch's words, below
            pass
    v, spec = _unpack(self, index)
    if spec:
        return index_by(v, spec)
    return _alias(self) if v is self else v


def _as_value(t: Tensor, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, (bool, int, float, complex)) and not (
        type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    ):
        kind = "numpy.ndarray" if type(value).__module__ == "numpy" else type(value).__name__
        raise TypeError(f"can't assign a {kind} to a torch.{t._key.dtype.legacy}Tensor")
    return METHODS["new_tensor"](t, value)  # type: ignore[no-any-return]  # an entry of the table


def _write_number(self: Tensor, index: Any, value: Any) -> bool:
    """Writes a number where a plain subscript says, if no history is at stake; returns whether it did."""
    key, extra = self._key, self._extra
    if (
        key.requires
        or key.inference
        or (key.view and extra is not None and extra.base is not None and extra.base._key.requires)
    ):
        return False
    if type(index) is not int and not _is_plain(index if type(index) is tuple else (index,)):
        return False
    a = self._a
    if 0 in a.strides or (key.dtype.category < FLOATING and type(value) is float):
        return False
    try:
        a[index] = value
    except (IndexError, ValueError, OverflowError):  # in torch's words, by the long way
        return False
    cell_of(self).version += 1
    return True


def _write_rows(self: Tensor, index: Tensor, value: Tensor) -> bool:
    """Writes whole rows where a vector says, if no history and no other tensor is at stake; returns whether it did."""
    key, a, rows = self._key, self._a, value._a
    if not (key.simple and value._key is key and index._key.simple and index._key.dtype is int64):
        return False
    if value._cell is not None or value is self or index._cell is not None or index._key.backend is not key.backend:
        return False
    where = index._a
    if where.ndim != 1 or rows.shape[:1] != where.shape or rows.shape[1:] != a.shape[1:] or not a.flags.c_contiguous:
        return False
    try:
        a[where] = rows
    except IndexError:  # before anything is written; in torch's words, by the long way
        return False
    cell_of(self).version += 1
    return True


def set_item(self: Tensor, index: Any, value: Any) -> None:
    """Writes ``value``, broadcast, to what the subscript names; views and the base see it."""
    if type(index) is Tensor and type(value) is Tensor and type(self) is Tensor and _write_rows(self, index, value):
        return
    if type(value) in (float, int, bool) and self._key.native and _write_number(self, index, value):
        return
    spec: Spec = {}
    if type(index) is int:
        v = _take_one(self, 0, index, 0)
    elif type(index) is slice:
        v = _take_range(self, 0, index, True)
    else:
        v, spec = _unpack(self, index)
    if not spec:
        _set_basic(v, value)
        return
    if len(spec) == 1 and (not isinstance(value, Tensor) or not value._a.shape):
        ((dim, mask),) = spec.items()
        if mask._key.dtype.name == "bool" and mask._a.shape:
            _as_value(v, value)
            mask_positions(v, dim, mask, check=True)
            behind = len(v._a.shape) - dim - len(mask._a.shape)
            METHODS["masked_fill_"](v, reshape(mask, (*mask._a.shape, *(1,) * behind)), value)
            if v is self:
                named(self, "IndexPutBackward0")
            return
    put_by(v, spec, _as_value(v, value))


def _set_basic(v: Tensor, value: Any) -> None:
    if not isinstance(value, Tensor):
        if isinstance(value, (bool, int, float, complex)):
            METHODS["fill_"](v, value)
            return
        value = _as_value(v, value)
    shape, have = tuple(v._a.shape), tuple(value._a.shape)
    if have != shape:
        lead = 0
        while len(have) - lead > len(shape) and have[lead] == 1:
            lead += 1
        if value._a.size == 1 and value._cell is not None:
            value = METHODS["clone"](value)  # it may be one of those that it replaces
        value = expand(reshape(value, have[lead:]) if lead else value, shape)
    METHODS["copy_"](v, value)


METHODS["__getitem__"] = get_item
METHODS["__setitem__"] = set_item
