"""New tensors: from data, from a number, from a range, and like another tensor."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from dispatchtorch._base.device import CPU, Device, asked_device
from dispatchtorch._base.dtypes import FLOATING, DType, get_default_dtype, int64, of_number
from dispatchtorch._base.memory_format import MemoryFormat, channels_last_3d, contiguous_format, preserve_format
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.strides import like_lens
from dispatchtorch.dispatch.table import METHODS, composite, primitive, with_out
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device, default_backend, get_backend
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import Key, intern_key
from dispatchtorch.tensor.lens import Lens, channels_last_3d_strides, channels_last_strides
from dispatchtorch.tensor.sizes import numel
from dispatchtorch.tensor.sparse import laid_out
from dispatchtorch.tensor.storage import Cell
from dispatchtorch.tensor.tensor import Tensor, storage_of, view_of, wrap

Number = int | float | complex | bool
Where = Device | str | int | None


@primitive()
def _full(shape: tuple[int, ...], value: Number, dtype: DType) -> Tensor:
    """Returns a new tensor full of one number."""
    ...


@primitive()
def _arange(start: float, step: float, count: int, dtype: DType) -> Tensor:
    """Returns ``start + step * i`` for i below ``count``."""
    ...


@primitive()
def _linspace(start: float, end: float, steps: int, dtype: DType) -> Tensor:
    """Returns ``steps`` evenly spaced values from ``start`` to ``end``."""
    ...


@primitive()
def _eye(rows: int, columns: int, dtype: DType) -> Tensor:
    """Returns ones on the diagonal, zeros elsewhere."""
    ...


def place(device: Where = None, backend: str | Backend | None = None) -> tuple[Backend, Device]:
    """Returns the backend and device that a new tensor goes to."""
    if device is None and backend is None:
        device = asked_device()
    if device is None:
        chosen = default_backend() if backend is None else get_backend(backend)
        return chosen, Device(chosen.devices[0])
    where = Device(device)
    return (backend_for_device(where.type) if backend is None else get_backend(backend)), where


def new_key(dtype: DType | None, device: Where, backend: str | Backend | None = None) -> Key:
    """Returns the key of a new dimensioned tensor; the default dtype where none is given."""
    chosen, where = place(device, backend)
    return intern_key(chosen, where, dtype or get_default_dtype(), False)


def finished(t: Tensor, requires_grad: bool) -> Tensor:
    """Returns a new tensor, which from now on requires a gradient if so; RuntimeError where its dtype cannot."""
    if not requires_grad:
        return t
    if t._key.dtype.category < FLOATING:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return METHODS["requires_grad_"](t)  # type: ignore[no-any-return]  # installed by autograd


def _shape(sizes: tuple[Any, ...], name: str = "full") -> tuple[int, ...]:
    if len(sizes) == 1 and not isinstance(sizes[0], int):
        only = sizes[0]
        if isinstance(only, str) or not (hasattr(only, "__iter__") or hasattr(only, "__index__")):
            kind = type(only).__name__
            raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, not {kind}")
        if hasattr(only, "__iter__") and not (isinstance(only, Tensor) and not only._a.shape):
            sizes = tuple(only)
    for place, n in enumerate(sizes, 1):
        if not hasattr(n, "__index__"):
            raise TypeError(
                f"{name}(): argument 'size' failed to unpack the object at pos {place} with error "
                f'"type must be tuple of ints,but got {type(n).__name__}"'
            )
    shape = tuple([int(n) for n in sizes])
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


@composite()
def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    backend: str | Backend | None = None,
) -> Tensor:
    """Returns a new leaf tensor with a copy of ``data`` (numbers, nested sequences, arrays).

    Floats become the default dtype, ints int64; arrays keep their dtype. ``backend`` is ours: see `use_backend`.

    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if dtype is None:
        quick = interop.new_host_of(data)
        if quick is not None:
            host, kind = quick
            chosen, where = place(device, backend)
            raw = chosen.adopt(host, str(where))
            return finished(wrap(raw, intern_key(chosen, where, kind, not host.shape)), requires_grad)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        device = data._key.device if device is None else device
        backend = data._key.backend if backend is None and Device(device) == data._key.device else backend
    chosen, where = place(device, backend)
    host = interop.host_of_data(data, dtype)
    kind = dtype or interop.dtype_of_host(host)
    raw = chosen.from_host(host, str(where))
    return finished(wrap(raw, intern_key(chosen, where, kind, not host.shape)), requires_grad)


@composite()
def as_tensor(data: Any, dtype: DType | None = None, device: Where = None) -> Tensor:
    """Returns ``data`` as a tensor, sharing memory where the backend can."""
    if isinstance(data, Tensor):
        return METHODS["to"](data, device=device, dtype=dtype)  # type: ignore[no-any-return]  # a method of the table
    if interop.is_host(data) and dtype is None:
        return from_numpy(data) if device is None else METHODS["to"](from_numpy(data), device=device)
    return tensor(data, dtype=dtype, device=device)


@composite()
def asarray(
    obj: Any, *, dtype: DType | None = None, device: Where = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """Returns ``obj`` as a tensor; ``copy`` True always copies, False never."""
    out = as_tensor(obj, dtype, device)
    if copy and (out is obj or interop.is_host(obj)):
        out = METHODS["clone"](METHODS["detach"](out))
    return finished(out, requires_grad)


@composite()
def from_numpy(ndarray: Any) -> Tensor:
    """Returns a tensor over a numpy array's own memory, where the backend is native to the host; else a copy.

    >>> import numpy
    >>> a = numpy.zeros(2)
    >>> t = torch.from_numpy(a); t[0] = 1.0; a
    array([1., 0.])
    """
    if not interop.is_host(ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    kind = interop.dtype_of_host(ndarray)
    chosen, where = place() if asked_device() is None else place(CPU)
    if not ndarray.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means "
            "writing "
            "to this tensor will result in undefined behavior. You may want to copy the array to protect its data or "
            "make "
            "it writable before converting it to a tensor. This type of warning will be suppressed for the rest of "
            "this "
            "program.",
            UserWarning,
            stacklevel=2,
        )
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently "
            "supported. (You can probably work around this by making a copy of your array  with array.copy().) "
        )
    shares = chosen.to_host(ndarray) is ndarray if chosen.aliasing == "native" and where.type == "cpu" else False
    raw = ndarray if shares else chosen.from_host(ndarray, str(where))
    return wrap(raw, intern_key(chosen, where, kind, not ndarray.shape))


def _filled(name: str, value: int, doc: str) -> Callable[..., Tensor]:
    def make(
        *size: Any,
        dtype: DType | None = None,
        layout: Any = None,
        device: Where = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
        backend: str | Backend | None = None,
        **given: Any,
    ) -> Tensor:
        sizes = (given.pop("size"),) if "size" in given else size
        if given or (not sizes and "size" in given):
            raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(given))!r}")
        shape = _shape(sizes, name)
        key = new_key(dtype, device, backend)
        if layout is not None:
            key = laid_out(key, layout)
        if memory_format is not None and memory_format is not preserve_format:
            lens = _formatted(shape, memory_format)
            if lens is not None:
                return finished(_in_order(key, lens, value), requires_grad)
        return finished(create(TABLE["_full"], key, (shape, value, key.dtype)), requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = doc
    return make


zeros = composite()(with_out(_filled("zeros", 0, "Returns a tensor of zeros; sizes as arguments or one sequence.")))
ones = composite()(with_out(_filled("ones", 1, "Returns a tensor of ones; sizes as arguments or one sequence.")))
empty = composite()(
    with_out(_filled("empty", 0, "Returns a new tensor whose values mean nothing (they are zeros here)."))
)


@composite(out=True)
def full(
    size: Any,
    fill_value: Number | Tensor,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Returns a tensor full of one number, whose type decides the dtype.

    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    key = new_key(dtype or of_number(type(value)), device)
    return finished(create(TABLE["_full"], key, (_shape((size,)), value, key.dtype)), requires_grad)


def _range_dtype(*values: Number) -> DType:
    return int64 if all(isinstance(v, int) for v in values) else get_default_dtype()


@composite(out=True)
def arange(
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
    """Returns ``start, start + step, ...`` below ``end``; int64 when all three are ints.

    >>> torch.arange(1, 4)
    tensor([1, 2, 3])
    """
    if end is None:
        start, end = 0, start
    if type(start) is int and type(end) is int and step == 1 and start <= end and dtype is None:
        return finished(create(TABLE["_arange"], new_key(int64, device), (start, 1, end - start, int64)), requires_grad)
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if dtype is not None and dtype.category == 1 and all(math.isfinite(v) for v in (start, end, step)):
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    key = new_key(dtype or _range_dtype(start, end, step), device)
    if all(isinstance(v, int) for v in (start, end, step)):
        count = -((start - end) // step)
    else:
        count = math.ceil((end - start) / step)
    return finished(create(TABLE["_arange"], key, (start, step, max(count, 0), key.dtype)), requires_grad)


@composite(out=True)
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a matrix with ones on the diagonal.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    for name, value in (("n", n), ("m", m)):
        if value is not None and value < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {value}")
    key = new_key(dtype, device)
    return finished(create(TABLE["_eye"], key, (n, n if m is None else m, key.dtype)), requires_grad)


def like_key(input: Tensor, dtype: DType | None, device: Where) -> Key:
    """Returns the key of a tensor made like another."""
    key = input._key.fresh(False)
    if device is not None and Device(device) != key.device:
        chosen, where = place(device)
        key = intern_key(chosen, where, key.dtype, False)
    return key if dtype is None else key.as_dtype(dtype)


def _in_order(key: Key, lens: Lens, value: Number) -> Tensor:
    """Returns a tensor full of one number, whose elements lie without gaps in the order that a lens says."""
    whole = create(TABLE["_full"], key, ((numel(lens.shape),), value, key.dtype))
    made = view_of(whole, lens)
    made._cell = Cell(storage_of(whole))
    if not key.native:  # elsewhere the library's own arrays know
        made._key = intern_key(key.backend, key.device, key.dtype, not lens.shape, False, True)
    return made


def _formatted(shape: tuple[int, ...], memory_format: MemoryFormat) -> Lens | None:
    if memory_format is contiguous_format:
        return None
    rank = 5 if memory_format is channels_last_3d else 4
    if len(shape) != rank:
        raise RuntimeError(f"required rank {rank} tensor to use {memory_format.name} format")
    strides = channels_last_3d_strides if memory_format is channels_last_3d else channels_last_strides
    return Lens(shape, strides(shape), 0)


def _full_like(input: Tensor, key: Key, value: Number, memory_format: MemoryFormat | None) -> Tensor:
    shape = tuple(input._a.shape)
    if memory_format is None or memory_format is preserve_format:
        lens = None if input._key.native and input._a.flags.c_contiguous else like_lens(input)
    else:
        lens = _formatted(shape, memory_format)
    if lens is None:
        return create(TABLE["_full"], key, (shape, value, key.dtype))
    return _in_order(key, lens, value)


def _like(name: str, value: int) -> Callable[..., Tensor]:
    def make(
        input: Tensor,
        *,
        dtype: DType | None = None,
        layout: Any = None,
        device: Where = None,
        requires_grad: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        key = like_key(input, dtype, device) if dtype is not None or device is not None else input._key.fresh(False)
        t = _full_like(input, key, value, memory_format)
        return finished(t, True) if requires_grad else t

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Returns a tensor of {name.partition('_')[0]} with the shape, dtype and device of ``input``."
    return make


zeros_like = composite()(_like("zeros_like", 0))
ones_like = composite()(_like("ones_like", 1))
empty_like = composite()(_like("empty_like", 0))


@composite()
def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Returns a tensor full of one number with the shape, dtype and device of ``input``."""
    key = like_key(input, dtype, device)
    return finished(_full_like(input, key, fill_value, memory_format), requires_grad)


def _new(name: str, value: int) -> Callable[..., Tensor]:
    def make(
        self: Tensor,
        *size: Any,
        dtype: DType | None = None,
        device: Where = None,
        requires_grad: bool = False,
        **unused: Any,
    ) -> Tensor:
        key = like_key(self, dtype, device)
        return finished(create(TABLE["_full"], key, (_shape(size, name), value, key.dtype)), requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = "Returns a tensor of the given size with this tensor's dtype and device."
    return make


def new_full(
    self: Tensor,
    size: Any,
    fill_value: Number,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor full of one number with this tensor's dtype and device."""
    key = like_key(self, dtype, device)
    return finished(create(TABLE["_full"], key, (_shape((size,)), fill_value, key.dtype)), requires_grad)


def new_tensor(
    self: Tensor, data: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Returns a tensor with a copy of ``data``, with this tensor's dtype and device."""
    key = like_key(self, dtype, device)
    return tensor(data, dtype=key.dtype, device=key.device, requires_grad=requires_grad, backend=key.backend)


METHODS.update(
    {
        "new_zeros": _new("new_zeros", 0),
        "new_ones": _new("new_ones", 1),
        "new_empty": _new("new_empty", 0),
        "new_full": new_full,
        "new_tensor": new_tensor,
    }
)
