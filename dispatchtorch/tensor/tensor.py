"""The Tensor: a raw array, a key, an edge into the autograd graph, and what is shared with views.

Methods that are ops arrive from the op table (layer 5); only what a tensor is as data is written here.
Reading goes through `read`, writing through `write`: on a native library both are the array itself, on an immutable
one they go through the lens to the base.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.plugin.aliasing import StridedView, seen_as, written_as
from dispatchtorch.plugin.backend import Array, Backend, Kernel, KernelCall
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.lens import Lens, contiguous_strides, is_contiguous
from dispatchtorch.tensor.storage import Cell, Storage

__all__ = ["Extra", "Parameter", "Size", "Tensor", "cell_of", "inference", "lens_of", "marked", "read", "wrap", "write"]

new = object.__new__


class Size(tuple[int, ...]):
    """A shape: a tuple of ints that prints as torch's ``torch.Size`` and counts its elements."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """Returns the product of the sizes."""
        count = 1
        for n in self:
            count *= n
        return count

    def __getitem__(self, index: Any) -> Any:
        got = tuple.__getitem__(self, index)
        return Size(got) if isinstance(index, slice) else got

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Size:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times: Any) -> Size:
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__


class _Place:
    __slots__ = ("base", "replay", "seen")

    base: Tensor | None  # the root of the view tree, for a tracked view
    replay: tuple[Any, ...]  # (function, args) from base to this view
    seen: int  # Cell.rebased when the edge was last right


class Extra(_Place):
    """The rare facts of a tensor: its place in a view tree, its gradient, its hooks.

    A view sets only its place when it is made (`new(Extra)`, three slots); other facts have defaults in the class.
    """

    creation: str = ""  # "", "no_grad", "multi:<Node>": what an in-place write to this view may do
    lens: Lens | None = None  # immutable libraries: where in the base
    odd: tuple[Lens | None, bool] = (None, False)  # a lens, and whether it is anything but row-major
    stamp: int = 0  # Storage.stamp of the cached read
    grad: Tensor | None = None
    hooks: Any = None
    post_hooks: Any = None
    retains: bool = False
    name: str | None = None

    def __init__(self) -> None:
        self.base = None
        self.replay = ()
        self.seen = 0


if TYPE_CHECKING:
    from dispatchtorch.tensor.surface import TensorSurface  # a stub: the op table installs the methods at import
else:
    TensorSurface = object


class Tensor(TensorSurface):
    """An n-dimensional array with a dtype, a device, views that alias, and reverse-mode differentiation."""

    __slots__ = ("__dict__", "__weakref__", "_a", "_cell", "_edge", "_extra", "_key")

    _a: Array
    _key: Key
    _edge: Any  # None, a Node, or (Node, output number)
    _cell: Cell | None
    _extra: Extra | None

    if TYPE_CHECKING:

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    @property
    def shape(self) -> Size:
        """Returns the sizes of the dimensions."""
        return Size(self._a.shape)

    @property
    def ndim(self) -> int:
        """Returns the number of dimensions."""
        return len(self._a.shape)

    @property
    def dtype(self) -> DType:
        """Returns the element type."""
        return self._key.dtype

    @property
    def device(self) -> Device:
        """Returns where the values live."""
        return self._key.device

    @property
    def backend(self) -> str:
        """Returns the name of the backend that holds the values; not in torch, which has one."""
        return self._key.backend.name

    def size(self, dim: int | None = None) -> Any:
        """Returns the shape, or the size of one dimension."""
        if dim is None:
            return Size(self._a.shape)
        ndim = len(self._a.shape)
        if not -max(ndim, 1) <= dim < max(ndim, 1):
            low, high = (-ndim, ndim - 1) if ndim else (-1, 0)
            raise IndexError(f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})")
        if not ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        return int(self._a.shape[dim])

    def dim(self) -> int:
        """Returns the number of dimensions."""
        return len(self._a.shape)

    ndimension = dim

    def numel(self) -> int:
        """Returns the number of elements."""
        return int(self._a.size)

    nelement = numel

    def element_size(self) -> int:
        """Returns the size of an element in bytes."""
        return self._key.dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Returns the steps in elements between neighbours along each dimension, or along one."""
        strides = lens_of(self).strides
        if dim is None:
            return strides
        self.size(dim)
        return strides[dim]

    def storage_offset(self) -> int:
        """Returns where in the storage the first element is, in elements."""
        return lens_of(self).offset

    def data_ptr(self) -> int:
        """Returns the address of the first element; stable on every backend, also where arrays are immutable."""
        storage = storage_of(self)
        return storage.address() + lens_of(self).offset * self._key.dtype.itemsize

    @property
    def _version(self) -> int:
        if self._key.inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if self._cell is None else self._cell.version

    def __len__(self) -> int:
        if not self._a.shape:
            raise TypeError("len() of a 0-d tensor")
        return int(self._a.shape[0])

    def __hash__(self) -> int:
        return id(self)


class Parameter(Tensor):
    """A tensor that a Module registers when it is assigned; it requires a gradient unless told otherwise.

    ``Parameter(data=None, requires_grad=True)`` shares the storage of ``data``.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        self = new(cls)
        if data is None:
            raise TypeError("Parameter() needs data here; use torch.nn.parameter.UninitializedParameter for none yet")
        key = data._key
        if requires_grad and not (key.dtype.is_floating_point or key.dtype.is_complex):
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        self._a = data._a
        self._key = key.fresh(key.zero_dim, requires_grad)
        self._edge = None
        self._cell = Cell(storage_of(data))
        self._extra = None
        if not key.native:
            self._extra = Extra()
            self._extra.lens = lens_of(data)
            self._extra.stamp = data._extra.stamp if data._extra is not None else 0
        return self

    if TYPE_CHECKING:

        def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None: ...


class _Marked(threading.local):
    """Whether this thread is in inference mode."""

    here: bool = False


inference: Final = _Marked()


def marked(key: Key) -> Key:
    """Returns the key that a tensor with this one gets which is made now: in inference mode another one."""
    return key.as_inference() if inference.here else key


def wrap(a: Array, key: Key) -> Tensor:
    """Returns a tensor around a raw array that nobody else holds."""
    t = new(Tensor)
    t._a = a
    t._key = key if not marking.on else marked(key)
    t._edge = t._cell = t._extra = None
    return t


def extra_of(t: Tensor) -> Extra:
    """Returns the tensor's record of rare facts, made on first need."""
    extra = t._extra
    if extra is None:
        extra = t._extra = Extra()
    return extra


def cell_of(t: Tensor) -> Cell:
    """Returns the tensor's version counter, made on first need."""
    cell = t._cell
    if cell is None:
        cell = t._cell = Cell()
    return cell


def storage_of(t: Tensor) -> Storage:
    """Returns the tensor's storage, made on first need."""
    cell = cell_of(t)
    storage = cell.storage
    if storage is None:
        backend = t._key.backend
        if t._key.native:
            storage = Storage(backend.flat(t._a), backend)
        else:
            lens = lens_of(t)
            storage = Storage(t._a if is_contiguous(lens) else _in_memory_order(backend, lens)(t._a), backend)
            extra = extra_of(t)
            extra.lens, extra.stamp = lens, 0
        cell.storage = storage
    return storage


def lens_of(t: Tensor) -> Lens:
    """Returns shape, strides and storage offset, in elements."""
    a = t._a
    if not t._key.native:
        extra = t._extra
        if extra is not None and extra.lens is not None:
            return extra.lens
        return Lens(tuple(a.shape), contiguous_strides(a.shape), 0)
    size = t._key.dtype.itemsize
    cell = t._cell
    offset = 0
    if not a.size and 0 in a.strides:  # a library may give a fresh empty array strides of 0
        return Lens(a.shape, contiguous_strides(a.shape), 0)
    if cell is not None and cell.storage is not None and cell.storage.root.size:
        backend = t._key.backend
        offset = (backend.address(a) - backend.address(cell.storage.root)) // size
    return Lens(a.shape, tuple([s // size for s in a.strides]), offset)


@lru_cache(maxsize=1024)
def _in_memory_order(backend: Backend, lens: Lens) -> Kernel:
    """Returns what brings a result without gaps into the order in which its lens says that its elements lie."""
    order = tuple(sorted(range(len(lens.shape)), key=lambda dim: (-lens.strides[dim], dim)))
    xp = backend.namespace
    return backend.bind(lambda array: xp.permute_dims(array, order), KernelCall("memory_order"))


@lru_cache(maxsize=4096)
def _getter(backend: Backend, lens: Lens, dtype: DType) -> Kernel:
    view, xp = StridedView(lens.shape, lens.strides, lens.offset), backend.namespace
    return backend.bind(lambda base: view.get(xp, seen_as(backend, base, dtype)), KernelCall("lens_get"))


@lru_cache(maxsize=4096)
def _putter(backend: Backend, lens: Lens, dtype: DType) -> Kernel:
    view, xp = StridedView(lens.shape, lens.strides, lens.offset), backend.namespace

    def put(base: Array, value: Array) -> Array:
        seen = view.put(xp, seen_as(backend, base, dtype), value, backend.set_at)
        return written_as(backend, seen, base)

    return backend.bind(put, KernelCall("lens_put"))


@lru_cache(maxsize=4096)
def _is_whole(lens: Lens) -> bool:
    return lens.offset == 0 and is_contiguous(lens)


def read(t: Tensor) -> Array:
    """Returns the current values as a raw array, going through the lens where the base has moved on."""
    if t._key.native:
        return t._a
    cell = t._cell
    if cell is None or cell.storage is None:
        return t._a
    storage, extra = cell.storage, t._extra
    assert extra is not None  # a storage on an immutable library always comes with a lens
    assert extra.lens is not None
    if extra.stamp != storage.stamp:
        t._a = _getter(t._key.backend, extra.lens, t._key.dtype)(storage.root)
        extra.stamp = storage.stamp
    return t._a


def write(t: Tensor, value: Array) -> None:
    """Writes a raw array of the tensor's shape and dtype into the tensor, all its views and its base."""
    if t._key.native:
        t._key.backend.write(t._a, value)
        return
    backend = t._key.backend
    on_mesh = backend.engine is not backend
    if on_mesh:
        storage_of(t)  # which keeps its layout, whatever is written
    cell = t._cell
    if cell is not None and cell.storage is not None:
        storage, extra = cell.storage, t._extra
        assert extra is not None  # as above
        assert extra.lens is not None
        lens, root = extra.lens, storage.root
        if not on_mesh and lens.shape == root.shape == value.shape and root.dtype == value.dtype and _is_whole(lens):
            storage.root = value
        else:
            storage.root = _putter(backend, lens, t._key.dtype)(root, value)
        storage.stamp += 1
        extra.stamp = storage.stamp if not on_mesh else -1  # to be read from there
    t._a = value


def view_of(t: Tensor, lens: Lens, dtype: DType | None = None) -> Tensor:
    """Returns a tensor that sees another part of the same storage; shares the version counter.

    With ``dtype`` the same memory is seen as elements of that dtype, which the lens counts.
    """
    storage = storage_of(t)
    key = t._key if dtype is None else t._key.as_dtype(dtype)
    v = new(Tensor)
    if key.native:
        root = storage.root
        if root.dtype != t._a.dtype:  # a view in another dtype: the same memory, counted in its elements
            whole = root.size * root.itemsize // t._a.itemsize * t._a.itemsize
            root = root[: whole // root.itemsize].view(t._a.dtype)
        v._a = key.backend.strided(root, lens.shape, lens.strides, lens.offset)
        v._extra = None
    else:
        v._a = _getter(key.backend, lens, key.dtype)(storage.root)
        extra = v._extra = Extra()
        extra.lens, extra.stamp = lens, storage.stamp
    v._key = key.fresh(not lens.shape)
    v._edge = None
    v._cell = t._cell
    return v


def alias_of(t: Tensor, cls: type[Tensor] = Tensor) -> Tensor:
    """Returns another tensor object over exactly the same elements: same storage, same version, no history."""
    storage_of(t)
    read(t)
    v = new(cls)
    v._a, v._cell, v._edge, v._extra = t._a, t._cell, None, None
    v._key = t._key.fresh(t._key.zero_dim, False, t._key.view and not t._key.native)
    if t._key.inference:
        v._key = v._key.as_inference()
    if not t._key.native:
        old, extra = t._extra, Extra()
        assert old is not None  # storage_of has made it
        extra.lens, extra.stamp = old.lens, old.stamp
        v._extra = extra
    return v
