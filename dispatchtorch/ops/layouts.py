"""New tensors with given strides, a tensor set to other memory, and writes and sums that shapes decide."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.record import check_inplace
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, with_out
from dispatchtorch.ops.create import Where, finished, full
from dispatchtorch.ops.dropout import mask
from dispatchtorch.ops.legacy_types import NAMES_IN_C
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage
from dispatchtorch.tensor.lens import Lens, contiguous_strides, span
from dispatchtorch.tensor.storage import Cell
from dispatchtorch.tensor.tensor import Tensor, cell_of, extra_of, lens_of, storage_of, view_of

__all__ = ["empty_permuted", "empty_strided", "set_"]

Options = dict[str, Any]


def _ints(sizes: Any) -> tuple[int, ...]:
    return (int(sizes),) if isinstance(sizes, int) else tuple([int(n) for n in sizes])


def _strided(like: Tensor | None, size: Any, stride: Any, options: Options) -> Tensor:
    shape, strides = _ints(size), _ints(stride)
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})"
        )
    if any(n < 0 for n in shape):
        bad = next(n for n in shape if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {bad}: {list(shape)}")
    if any(n < 0 for n in strides):
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    lens = Lens(shape, strides, 0)
    make = FUNCTIONS["empty"] if like is None else METHODS["new_empty"].__get__(like)
    requires_grad = options.pop("requires_grad", False)
    whole = make((span(lens),), **{name: value for name, value in options.items() if value is not None})
    made = view_of(whole, lens)
    made._cell = Cell(storage_of(whole))
    return finished(made, requires_grad)


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Returns a new tensor of these sizes and strides, whose values mean nothing (they are zeros here).

    >>> torch.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    return _strided(None, size, stride, {"dtype": dtype, "device": device, "requires_grad": requires_grad})


def new_empty_strided(
    self: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Returns a tensor of these sizes and strides with this one's dtype and device; its values mean nothing."""
    return _strided(self, size, stride, {"dtype": dtype, "device": device, "requires_grad": requires_grad})


def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Returns a new tensor without gaps whose dims lie in memory in this order; its values mean nothing.

    >>> torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride()
    (3, 1, 6)
    """
    shape, order = _ints(size), _ints(physical_layout)
    if len(shape) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    for dim in order:
        if not 0 <= dim < len(shape):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {dim} at index "
                f"{order.index(dim)}).  NB: negative dims not currently supported; file an issue if you want it."
            )
        if order.count(dim) > 1:
            raise RuntimeError("Duplicate dim not allowed")
    inner = contiguous_strides(tuple([shape[dim] for dim in order]))
    strides = [inner[order.index(dim)] for dim in range(len(shape))]
    return _strided(None, shape, strides, {"dtype": dtype, "device": device, "requires_grad": requires_grad})


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Makes the tensor one over the memory of a storage or another tensor, and returns it; without one, empty.

    RuntimeError for memory of another dtype, and for sizes that reach beyond it.
    """
    check_inplace(self, self._key.requires)
    if source is None:
        source = METHODS["new_empty"](self, (0,))
    if isinstance(source, Tensor) and source._key.dtype is not self._key.dtype:
        theirs, mine = NAMES_IN_C[source._key.dtype.name], NAMES_IN_C[self._key.dtype.name]
        raise RuntimeError(f"Could not set tensor of type {theirs} to a tensor of type {mine}")
    if isinstance(source, UntypedStorage):
        whole = source.elements(self._key.dtype)
    elif isinstance(source, TypedStorage):
        whole = source.whole()
        if whole._key.dtype is not self._key.dtype:
            raise RuntimeError(
                f"Expected a Storage of type {self._key.dtype} or an UntypedStorage, but got {source.dtype}"
            )
    elif isinstance(source, Tensor):
        whole = source
    else:
        raise TypeError(
            f"set_(): argument 'source' (position 1) must be Tensor or Storage, not {type(source).__name__}"
        )
    storage = storage_of(whole)
    if size is None:
        lens = lens_of(whole)
    else:
        shape = _ints(size)
        lens = Lens(shape, contiguous_strides(shape) if stride is None else _ints(stride), storage_offset)
        item = self._key.dtype.itemsize
        if span(lens) > storage.size:
            raise RuntimeError(
                f"setStorage: sizes {list(shape)}, strides {list(lens.strides)}, storage offset {storage_offset}, and "
                f"itemsize {item} requiring a storage size of {span(lens) * item} are out of bounds for storage of "
                f"size {storage.size * item}"
            )
    seen = view_of(whole, lens)
    version = cell_of(self).version
    self._a, self._cell = seen._a, Cell(storage)
    self._cell.version = version + 1
    self._key = seen._key.fresh(not lens.shape, self._key.requires)
    if not self._key.native:
        own, its = extra_of(self), extra_of(seen)
        own.lens, own.stamp = its.lens, its.stamp
    return self


METHODS.update({"set_": set_, "new_empty_strided": new_empty_strided})
FUNCTIONS.update({"empty_strided": empty_strided, "empty_permuted": empty_permuted})


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Writes one number onto the diagonal and returns the tensor; ``wrap`` goes on below it in a tall matrix.

    RuntimeError for fewer than two dims, and for more than two that differ in size.

    >>> torch.zeros(2, 2).fill_diagonal_(5)
    tensor([[5., 0.],
            [0., 5.]])
    """
    shape = tuple(self._a.shape)
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    lens = lens_of(self)
    step, count = sum(lens.strides), min(shape)
    METHODS["as_strided"](self, (count,), (step,), lens.offset).fill_(fill_value)
    height, width = shape[:2]
    if len(shape) == 2 and wrap and height > width + 1:
        more = math.ceil(height * width / (width + 1)) - count
        below = lens.offset + lens.strides[0] * (width + 1)
        METHODS["as_strided"](self, (more,), (step,), below).fill_(fill_value)
    return self


METHODS["fill_diagonal_"] = fill_diagonal_


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Returns the sum over the dims along which ``size`` would be broadcast to this shape; RuntimeError for others.

    >>> torch.ones(2, 3).sum_to_size(3)
    tensor([2., 2., 2.])
    """
    shape, wanted = tuple(self._a.shape), _ints(size[0] if len(size) == 1 else size)
    missing = len(shape) - len(wanted)
    kept = shape[missing:] if missing >= 0 else ()
    if missing < 0 or any(w not in (1, n) for w, n in zip(wanted, kept, strict=True)):
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(shape)}}}.")
    if not wanted:
        return METHODS["sum"](self)  # type: ignore[no-any-return]  # a method of the table
    if wanted == shape:
        return self
    dims = [missing + d for d, w in enumerate(wanted) if w == 1 and kept[d] != 1]
    out = METHODS["sum"](self, dims, True) if dims else self
    lead = tuple(range(missing))
    return METHODS["sum"](out, lead) if lead else out


METHODS["sum_to_size"] = sum_to_size


def _positions(make: Maker) -> Any:
    yield Sample((make(3, 4, dtype="bool", low=0.0, high=1.0),), {"size": 5}, grad=False)
    yield Sample((make(3, dtype="int64", low=0, high=2),), {"size": 4, "fill_value": 7}, grad=False)


@composite(method=True, out=True, samples=_positions)
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Returns ``size`` positions of what is not zero, one a row: the first ones, then rows of ``fill_value``.

    >>> torch.nonzero_static(torch.tensor([0, 3]), size=2)
    tensor([[ 1],
            [-1]])
    """
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found: Tensor = FUNCTIONS["nonzero"](input)
    have = int(found._a.shape[0])
    if have >= size:
        return METHODS["clone"](METHODS["narrow"](found, 0, 0, size))  # type: ignore[no-any-return]  # of the table
    rest = METHODS["new_full"](found, (size - have, len(input._a.shape)), fill_value)
    return FUNCTIONS["cat"]([found, rest])  # type: ignore[no-any-return]  # an entry of the table


def range_(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Returns ``start, start + step, ...`` up to and including ``end``; torch's old `arange`, which warns."""
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=3,
    )
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = math.floor((end - start) / step) + 1
    kind = dtype or FUNCTIONS["zeros"](0)._key.dtype
    steps = FUNCTIONS["arange"](count, dtype=kind, device=device)
    return finished(steps * step + start if kind.category > 1 else (steps * int(step) + int(start)), requires_grad)


range_.__name__ = "range"
FUNCTIONS["range"] = with_out(range_)


def scalar_tensor(
    s: Any,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Returns a 0-dimensional tensor of one number, in the default dtype where none is given.

    >>> torch.scalar_tensor(3)
    tensor(3.)
    """
    if not isinstance(s, (bool, int, float, complex)):
        raise TypeError(f"scalar_tensor(): argument 's' (position 1) must be Number, not {type(s).__name__}")
    kind = dtype or FUNCTIONS["zeros"](0)._key.dtype
    return full((), s, dtype=kind, device=device, requires_grad=requires_grad)


FUNCTIONS["scalar_tensor"] = scalar_tensor


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Returns the input after dropout, and which elements were kept; all of them where ``train`` is False."""
    if train is False or not input._a.size:
        return METHODS["clone"](input), FUNCTIONS["ones_like"](input, dtype=FUNCTIONS["eq"](input, input)._key.dtype)
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={1 - p:g}")
    factor = mask(input, p)
    return input * factor, METHODS["ne"](factor, 0)


FUNCTIONS["native_dropout"] = native_dropout
