"""From one dtype, device or backend to another; copies, and the way out to Python and numpy."""

from __future__ import annotations

import copy
from typing import Any, Final

from dispatchtorch._base import dtypes
from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch._base.memory_format import (
    MemoryFormat,
    channels_last,
    channels_last_3d,
    contiguous_format,
    preserve_format,
)
from dispatchtorch.batching.errors import BRANCH, DataDependentError
from dispatchtorch.dispatch.inplace import require_shape
from dispatchtorch.dispatch.lifting import meet
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.record import record
from dispatchtorch.dispatch.table import METHODS, composite, primitive
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device, get_backend
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.lens import Lens, contiguous_strides, is_channels_last, is_channels_last_3d
from dispatchtorch.tensor.lens import is_contiguous as lens_is_contiguous
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.storage import Cell
from dispatchtorch.tensor.tensor import Tensor, alias_of, extra_of, lens_of, read, storage_of, view_of, wrap

Number = int | float | complex | bool
Where = tuple[Backend, str]  # with the device


@primitive(grad={"input": lambda g, input_dtype: g.to(input_dtype)}, node="ToCopyBackward0")
def _cast(input: Tensor, dtype: DType) -> Tensor:
    """Returns the values in another dtype."""
    ...


@primitive(grad={"input": lambda g: g}, node="CloneBackward0")
def _clone(input: Tensor) -> Tensor:
    """Returns a copy with its own storage."""
    ...


@primitive(
    grad={"source": lambda g, source_dtype: g.to(source_dtype)}, node="CopyBackwards", inplace=True, inputs="same"
)
def _copy(input: Tensor, source: Tensor) -> Tensor:
    """Returns ``source`` in the shape and dtype of ``input``."""
    ...


@primitive(grad={"input": lambda g, input_shape: g.new_zeros(input_shape)}, node="FillBackward0", inplace=True)
def _fill(input: Tensor, value: Number) -> Tensor:
    """Returns a tensor like ``input``, full of one number."""
    ...


@primitive(grad={"input": lambda g, target, origin: _move(g, origin, target)}, node="ToCopyBackward0")
def _moved(input: Tensor, target: Where, origin: Where) -> Tensor:
    """Returns the values on another backend or device; only its derivative is used."""
    ...


def _move(t: Tensor, target: Where, origin: Where) -> Tensor:
    backend, device = target[0], Device(target[1])
    raw = backend.from_host(t._key.backend.to_host(read(t)), str(device))
    out = wrap(raw, intern_key(backend, device, t._key.dtype, t._key.zero_dim))
    if modes.grad and t._key.requires:
        record(TABLE["_moved"], (t, target, origin), (out,), several=False)
    return out


@primitive(grad={"input": lambda g: g}, node="CloneBackward0")
def _row_major(input: Tensor) -> Tensor:
    """Returns a row-major copy with its own storage."""
    ...


_CHANNELS: Final = {"channels_last": (0, 2, 3, 1), "channels_last_3d": (0, 2, 3, 4, 1)}


def _in_format(input: Tensor, memory_format: MemoryFormat) -> Tensor:
    """Returns a copy whose elements lie in the order of ``memory_format``."""
    order = _CHANNELS.get(memory_format.name)
    if order is None:
        return _clone(input) if memory_format is preserve_format else _row_major(input)
    if len(input._a.shape) != len(order):
        raise RuntimeError(f"required rank {len(order)} tensor to use {memory_format.name} format")
    back = sorted(range(len(order)), key=order.__getitem__)
    return _row_major(input.permute(order)).permute(back)


def _follows(input: Tensor, memory_format: MemoryFormat) -> bool:
    lens = lens_of(input)
    if memory_format is channels_last:
        return is_channels_last(lens)
    return is_channels_last_3d(lens) if memory_format is channels_last_3d else lens_is_contiguous(lens)


@composite(method=True)
def clone(input: Tensor, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
    """Returns a copy with its own storage; gradients flow back to ``input``.

    >>> x = torch.tensor([1.0, 2.0])
    >>> y = x.clone(); y[0] = 5.0; x
    tensor([1., 2.])
    """
    return _clone(input) if memory_format is preserve_format else _in_format(input, memory_format)


@composite(method=True, function=False)
def contiguous(input: Tensor, memory_format: MemoryFormat = contiguous_format) -> Tensor:
    """Returns the tensor itself where its elements lie in this order already, else a copy where they do."""
    if memory_format is contiguous_format and input._key.native:
        return input if input._a.flags.c_contiguous else _row_major(input)
    if memory_format is preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    return input if _follows(input, memory_format) else _in_format(input, memory_format)


@composite(method=True, function=False)
def is_contiguous(input: Tensor, memory_format: MemoryFormat = contiguous_format) -> bool:
    """Returns whether the elements lie in this order without gaps."""
    if memory_format is preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    return _follows(input, memory_format)


@composite(method=True)
def detach(input: Tensor) -> Tensor:
    """Returns a tensor over the same storage that has no history; writes to either are seen by both.

    >>> torch.ones(1, requires_grad=True).detach().requires_grad
    False
    """
    out = alias_of(input)
    if input._key.backend.below is not None:
        raw = input._key.backend.severed(out._a)
        if raw is not out._a:  # a batched tensor whose history is outside its level: a copy without it
            return wrap(raw, out._key)
    return out


def detach_(self: Tensor) -> Tensor:
    """Cuts the tensor off its history, in place; RuntimeError for a view."""
    if self._extra is not None and self._extra.base is not None and self._edge is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
        )
    self._edge = None
    self._key = self._key.as_requires(False)
    return self


def copy_(self: Tensor, src: Tensor | Number, non_blocking: bool = False) -> Tensor:
    """Writes the values of ``src``, broadcast and cast, into the tensor and returns it."""
    if isinstance(src, (bool, int, float, complex)):
        return fill_(self, src)
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    shape, given = tuple(self._a.shape), tuple(src._a.shape)
    if given != shape and broadcast_shapes(shape, given) != shape:
        require_shape(self, given)
    if src._key.backend is not self._key.backend and meet(src._key.backend, self._key.backend):
        return _copy.inplace(self, src)  # type: ignore[attr-defined, no-any-return]  # one backend takes the other's tensors in
    if src._key.backend is not self._key.backend or src._key.device != self._key.device:
        src = to(src, self._key.device, backend=self._key.backend)
    if src is self:
        return self
    return _copy.inplace(self, src)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


def fill_(self: Tensor, value: Tensor | Number) -> Tensor:
    """Writes one number, or a 0-dimensional tensor, into every element and returns the tensor."""
    if isinstance(value, Tensor):
        if value._a.shape:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {len(value._a.shape)} dimensions."
            )
        return copy_(self, value if value._cell is None else _clone(value))  # it may be one of those that it replaces
    if isinstance(value, complex) and self._key.dtype.category <= FLOATING:
        raise RuntimeError(f"value cannot be converted to type {_scalar_name(self._key.dtype)} without overflow")
    if self._key.dtype.category == 1 and isinstance(value, float):
        value = int(value)
    return _fill.inplace(self, value)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


def _scalar_name(dtype: DType) -> str:
    return {"float32": "float", "float64": "double", "int32": "int", "int64": "int64_t"}.get(dtype.name, dtype.name)


def zero_(self: Tensor) -> Tensor:
    """Writes zero into every element and returns the tensor."""
    return _fill.inplace(self, 0)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Returns the tensor in another dtype, on another device or backend; itself where nothing changes.

    ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(other)``, and ours: ``backend="name"``.

    >>> torch.tensor([1, 2]).to(torch.float64)
    tensor([1., 2.], dtype=torch.float64)
    """
    dtype, device, backend = kwargs.pop("dtype", None), kwargs.pop("device", None), kwargs.pop("backend", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    memory_format = kwargs.pop("memory_format", None) or preserve_format
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() received an invalid combination of arguments - unexpected {sorted(kwargs)}")
    for value in args:
        if isinstance(value, DType):
            dtype = value
        elif isinstance(value, (str, Device)) or (isinstance(value, int) and not isinstance(value, bool)):
            device = Device(value)
        elif isinstance(value, Tensor):
            other = value
        elif value is not None and not isinstance(value, bool):
            raise TypeError(
                "to() received an invalid combination of arguments - got "
                f"({', '.join(type(a).__name__ for a in args)}), but expected one of: * (torch.device device = None, "
                "torch.dtype dtype = None, bool non_blocking = False, bool copy = False) * (torch.dtype dtype, bool "
                "non_blocking = False, bool copy = False) * (Tensor tensor, bool non_blocking = False, bool copy = "
                "False)"
            )
    if other is not None:
        dtype, device = other._key.dtype, other._key.device
        if self._key.backend.below is None and other._key.backend.below is None:
            backend = other._key.backend
    out = self
    if device is not None or backend is not None:
        out = _relocate(out, None if device is None else Device(device), backend)
    if dtype is not None and dtype is not out._key.dtype:
        out = _cast(out, dtype)
    if memory_format is not preserve_format and not _follows(out, memory_format):
        return _in_format(out, memory_format)
    return _clone(out) if copy and out is self else out


def _relocate(t: Tensor, device: Device | None, backend: Backend | str | None) -> Tensor:
    key = t._key
    device = device or key.device
    if backend is not None:
        target = get_backend(backend)
        if device.type not in target.devices:
            device = Device(target.devices[0])
    else:
        target = key.backend if device.type in key.backend.devices else backend_for_device(device.type)
    same = device == key.device or (device.type == key.device.type and device.index is None)
    if target is key.backend and same:
        return t
    return _move(t, (target, str(device)), (key.backend, str(key.device)))


def cpu(self: Tensor, memory_format: MemoryFormat = preserve_format) -> Tensor:
    """Returns the tensor on the CPU."""
    return to(self, "cpu", memory_format=memory_format)


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """Returns the tensor on a GPU, through the backend that serves one."""
    return to(self, Device("cuda" if device is None else device))


_SHORT: Final = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8,
    "bool": dtypes.bool_, "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}  # fmt: skip


def _shorthand(name: str, dtype: DType) -> Any:
    def cast(self: Tensor, memory_format: MemoryFormat = preserve_format) -> Tensor:
        return to(self, dtype, memory_format=memory_format)

    cast.__name__ = name
    cast.__doc__ = f"Returns the tensor as ``torch.{dtype.name}``."
    return cast


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns the tensor in the dtype and on the device of another."""
    return to(self, other)


# --- out to Python and numpy -----------------------------------------------------------------------------------------


def item(self: Tensor) -> Any:
    """Returns the only element as a Python number; RuntimeError for another number of elements."""
    a = read(self)
    if a.size != 1:
        raise RuntimeError(f"a Tensor with {a.size} elements cannot be converted to Scalar")
    return interop.scalar(self)


def tolist(self: Tensor) -> Any:
    """Returns the values as nested lists of Python numbers, or one number for a 0-dimensional tensor."""
    return interop.to_host(self).tolist()


def numpy(self: Tensor, *, force: bool = False) -> Any:
    """Returns a numpy array; on the numpy backend it shares memory, elsewhere it is a read-only copy.

    RuntimeError for a tensor that requires a gradient, TypeError for one that is not on the CPU, unless ``force``.
    """
    if self._key.requires and not force:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self._key.device.type != "cpu" and not force:
        raise TypeError(
            f"can't convert {self._key.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to "
            "host "
            "memory first."
        )
    return interop.to_host(self)


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    host = numpy(self)
    if dtype is not None:
        host = host.astype(dtype, copy=bool(copy))
    return host.copy() if copy and dtype is None else host


def _bool(self: Tensor) -> bool:
    a = self._a
    if a.size != 1:
        if a.size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    try:
        return bool(interop.scalar(self))
    except DataDependentError:
        raise DataDependentError(BRANCH) from None


def _as_number(kind: type) -> Any:
    def convert(self: Tensor) -> Any:
        if self._a.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        value = item(self)
        if type(value) is complex and kind is not complex:
            if value.imag:
                name = "double" if kind is float else "int64_t"
                raise RuntimeError(f"value cannot be converted to type {name} without overflow")
            value = value.real
        return kind(value)

    return convert


def _index(self: Tensor) -> int:
    if self._key.dtype.category > 1 or self._a.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(item(self))


def _data(self: Tensor) -> Tensor:
    out = alias_of(self)
    out._cell = Cell(storage_of(self))
    return out


def _set_data(self: Tensor, value: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    alias = _data(value)
    key = alias._key
    self._a, self._cell = alias._a, alias._cell
    self._key = key.fresh(key.zero_dim, self._key.requires)
    if not key.native:
        extra, other = extra_of(self), extra_of(alias)
        extra.lens, extra.stamp = other.lens, other.stamp


def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if self._edge is not None:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
            " If "
            "you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]  # a memo holds what it was given
    with_grad = None if self._extra is None else self._extra.grad
    plain = _deep_storage(self, memo)
    out = like_class(plain, type(self), self._key.requires)
    if with_grad is not None:
        METHODS["requires_grad_"](out, self._key.requires)
        out.grad = copy.deepcopy(with_grad, memo)
    out.__dict__.update(copy.deepcopy(self.__dict__, memo))
    memo[id(self)] = out
    return out


def _deep_storage(t: Tensor, memo: dict[int, Any]) -> Tensor:
    """Returns a tensor over a copy of the whole storage; tensors that share one share the copy too."""
    storage = storage_of(t)
    whole = memo.get(id(storage))
    if whole is None:
        backend = t._key.backend
        if backend.aliasing == "lens" and storage.root.dtype == t._a.dtype:  # as it is, with its shape and layout
            whole = wrap(backend.copy(storage.root), t._key.fresh(not storage.root.shape))
        else:
            with_all = view_of(t, Lens((storage.size,), (1,), 0))
            whole = wrap(backend.copy(read(with_all)), with_all._key.fresh(False))
        memo[id(storage)] = whole
        memo.setdefault(id(memo), []).append(storage)  # alive as long as its id is a key
    out = view_of(whole, lens_of(t))
    out._cell = Cell(storage_of(whole))
    return out


def _shallow(self: Tensor) -> Tensor:
    """Returns another tensor over the same memory, as ``copy.copy`` does."""
    out = like_class(_data(self), type(self), self._key.requires)
    out._edge = self._edge
    if self._extra is not None and self._extra.grad is not None:
        out.grad = self._extra.grad
    out.__dict__.update(self.__dict__)
    return out


def like_class(plain: Tensor, cls: type[Tensor], requires: bool) -> Tensor:
    """Returns a fresh tensor as one of another class, over the same memory and without history."""
    if cls is not Tensor:
        again = object.__new__(cls)
        again._a, again._key, again._edge, again._cell, again._extra = (
            plain._a,
            plain._key,
            None,
            plain._cell,
            plain._extra,
        )
        plain = again
    plain._key = plain._key.as_requires(requires)
    return plain


def rebuild(
    host: Any, order: tuple[int, ...], requires: bool, cls: type[Tensor], state: dict[str, Any], grad: Any
) -> Tensor:
    """Returns a tensor from its pickled parts: its values with the dims in the order in which they lie in memory."""
    made = interop.from_host(host)
    if order != tuple(range(host.ndim)):
        lens, back = lens_of(made), sorted(range(host.ndim), key=order.__getitem__)
        rows = made
        made = view_of(rows, Lens(tuple([lens.shape[d] for d in back]), tuple([lens.strides[d] for d in back]), 0))
        made._cell = Cell(storage_of(rows))
    out = like_class(made, cls, requires)
    out.__dict__.update(state)
    if grad is not None:
        out.grad = grad
    return out


def _reduce(self: Tensor, protocol: Any) -> Any:
    if self._edge is not None:
        raise RuntimeError("Cannot pickle a tensor that has a history; detach() it first")
    lens = lens_of(self)
    order = tuple(sorted(range(len(lens.shape)), key=lambda d: -lens.strides[d]))
    inner = tuple([lens.shape[d] for d in order])
    if tuple([lens.strides[d] for d in order]) != contiguous_strides(inner):  # with gaps or repeats: row-major
        order = tuple(range(len(lens.shape)))
    host = interop.to_host(self).transpose(order).copy()
    grad = None if self._extra is None else self._extra.grad
    return rebuild, (host, order, self._key.requires, type(self), dict(self.__dict__), grad)


METHODS.update(
    {
        "detach_": detach_, "copy_": copy_, "fill_": fill_, "zero_": zero_, "to": to, "cpu": cpu, "cuda": cuda,
        "type_as": type_as, "item": item, "tolist": tolist, "numpy": numpy, "__array__": _array,
        "__bool__": _bool, "__float__": _as_number(float), "__int__": _as_number(int),
        "__complex__": _as_number(complex),
        "__index__": _index, "__copy__": _shallow, "__deepcopy__": _deepcopy, "__reduce_ex__": _reduce,
        "data": property(_data, _set_data),  # type: ignore[dict-item]  # a member, not a function
    }
)  # fmt: skip
METHODS.update({name: _shorthand(name, dtype) for name, dtype in _SHORT.items()})
