"""Tensors made by calling a class: ``torch.Tensor(2, 3)``, ``torch.FloatTensor([1.0])``, ``t.new(...)``.

The typed classes make tensors and answer ``isinstance``; no tensor is ever an instance of one. Must not know how data
become arrays: `create` does.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base import dtypes
from dispatchtorch._base.device import CPU, Device
from dispatchtorch._base.dtypes import DType, get_default_dtype, set_default_dtype
from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.convert import like_class, to
from dispatchtorch.ops.create import Where, empty, place, tensor
from dispatchtorch.ops.members import Layout, strided
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Size, Tensor, alias_of

__all__ = [
    "CUDA_TYPES", "NAMES_IN_C", "TYPES", "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor",
    "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor", "TensorType", "set_default_tensor_type",
]  # fmt: skip

NAMES_IN_C: Final = {
    "float64": "double", "float32": "float", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
    "int32": "int", "int16": "short int", "int8": "signed char", "uint8": "unsigned char", "bool": "bool",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def _options(dtype: DType, device: Device) -> str:
    return (
        f"TensorOptions(dtype={NAMES_IN_C.get(dtype.name, dtype.name)}, device={device}, layout=Strided, "
        "requires_grad=false (default), pinned_memory=false (default), memory_format=(nullopt))"
    )


def _is_size(args: tuple[Any, ...]) -> bool:
    first = args[0]
    if isinstance(first, Size):
        return True
    return hasattr(first, "__index__") and not isinstance(first, (bool, Tensor)) and not interop.is_host(first)


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    for name in ("size", "data", "other", "storage"):
        if not args and name in kwargs:
            value = kwargs.pop(name)
            args = (Size(value),) if name == "size" else (value,)
    if kwargs:
        said = ", ".join([type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()])
        raise TypeError(
            f"new() received an invalid combination of arguments - got ({said}), but expected one of: * (*, "
            "torch.device device = None) * (torch.Storage storage) * (Tensor other) * (tuple of ints size, *, "
            "torch.device device = None) * (object data, *, torch.device device = None)"
        )
    return args


def construct(
    dtype: DType | None, device: Where, backend: Backend | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    """Returns the tensor that a legacy constructor makes of its arguments: sizes, data, a storage or another tensor.

    Sizes give uninitialised elements (zeros here), a tensor is aliased. ``dtype`` None takes another tensor as it is
    and makes new ones in the default dtype. TypeError for anything else.
    """
    asked = kwargs.pop("device", None)
    args = _given(args, kwargs)
    if asked is not None:
        if device is not None and Device(asked).type != Device(device).type:
            raise RuntimeError(
                f"legacy constructor expects device type: {Device(device).type} but device type: {Device(asked).type} "
                "was passed"
            )
        device = asked
    kind = dtype or get_default_dtype()
    if not args:
        args = (0,)
    first = args[0]
    if _is_size(args):
        for at, n in enumerate(args, 1):
            if not hasattr(n, "__index__") and not isinstance(n, Size):
                raise TypeError(
                    f"new(): argument 'size' failed to unpack the object at pos {at} with error "
                    f'"type must be tuple of ints,but got {type(n).__name__}"'
                )
        fresh: Tensor = empty(*args, dtype=kind, device=device, backend=backend)
        return fresh
    if isinstance(first, Tensor):
        key = first._key
        if dtype is not None and (key.dtype is not dtype or (device and key.device.type != Device(device).type)):
            wanted, found = _options(dtype, Device(device or CPU)), _options(key.dtype, key.device)
            raise TypeError(f"expected {wanted} (got {found})")
        return METHODS["view_as"](first, first) if key.requires else alias_of(first)
    if isinstance(first, TypedStorage):
        return first.whole()
    if isinstance(first, UntypedStorage):
        return first.elements(kind)
    if not hasattr(first, "__getitem__") or isinstance(first, dict):
        raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
    if isinstance(first, str):
        raise TypeError("new(): invalid data type 'str'")
    if not interop.is_host(first):
        first = list(first)
        _require_numbers(first, kind)
    return tensor(interop.host_as(first, kind), dtype=kind, device=device, backend=backend)


def _require_numbers(data: list[Any], dtype: DType) -> None:
    inner: Any = data
    while isinstance(inner, (list, tuple)) and len(inner):
        inner = inner[0]
    if dtype.category > 1 and (inner is None or (isinstance(inner, complex) and dtype.category == 2)):
        raise TypeError(f"must be real number, not {type(inner).__name__}")
    if dtype.category == 1 and isinstance(inner, Tensor) and inner._a.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")


def _new_tensor(cls: type[Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Returns the tensor of this class that ``torch.Tensor(...)`` makes: of sizes, of data, over another tensor.

    >>> torch.Tensor([1, 2])
    tensor([1., 2.])
    """
    device = place(None)[1] if _default_type is None else _default_type.device
    made = construct(None, device, None, args, kwargs)
    return made if cls is Tensor else like_class(made, cls, made._key.requires)


def new(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Returns a tensor with this one's dtype and device, of sizes or of data, as a legacy constructor does.

    >>> torch.ones(2, dtype=torch.int64).new([1.5])
    tensor([1])
    """
    key = self._key
    return construct(key.dtype, key.device, key.backend, args, kwargs)


# --- the typed classes -----------------------------------------------------------------------------------------------


class TensorType(type):
    """What ``torch.FloatTensor`` is: a class that makes tensors of one dtype and answers ``isinstance``."""

    dtype: DType
    device: Device
    layout: Layout
    is_cuda: bool

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        """Returns a tensor of sizes or of data; TypeError where no backend serves the device."""
        return construct(cls.dtype, cls.device, cls._require(), args, kwargs)

    def _require(cls) -> Backend:
        try:
            return backend_for_device(cls.device.type)
        except DeviceUnavailableError as error:
            raise TypeError(
                f"type {cls.__module__}.{cls.__name__} not available. Torch not compiled with CUDA enabled."
            ) from error

    def __instancecheck__(cls, instance: object) -> bool:
        return (
            isinstance(instance, Tensor)
            and instance._key.dtype is cls.dtype
            and instance._key.device.type == cls.device.type
        )

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


def _typed(dtype: DType, device: Device) -> TensorType:
    name = dtype.legacy + "Tensor"
    made = TensorType(name, (), {"__module__": "torch" if device.type == "cpu" else f"torch.{device.type}"})
    made.dtype, made.device, made.layout, made.is_cuda = dtype, device, strided, device.type == "cuda"
    made.__doc__ = f"Makes tensors of {dtype} on the {device}, of sizes or of data."
    return made


_KINDS: Final = (
    dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16, dtypes.uint8, dtypes.int8, dtypes.int16,
    dtypes.int32, dtypes.int64, dtypes.bool_,
)  # fmt: skip
TYPES: Final = {t.__name__: t for t in (_typed(dtype, CPU) for dtype in _KINDS)}
CUDA_TYPES: Final = {t.__name__: t for t in (_typed(dtype, Device("cuda")) for dtype in _KINDS)}
FloatTensor: Final = TYPES["FloatTensor"]
DoubleTensor: Final = TYPES["DoubleTensor"]
HalfTensor: Final = TYPES["HalfTensor"]
BFloat16Tensor: Final = TYPES["BFloat16Tensor"]
ByteTensor: Final = TYPES["ByteTensor"]
CharTensor: Final = TYPES["CharTensor"]
ShortTensor: Final = TYPES["ShortTensor"]
IntTensor: Final = TYPES["IntTensor"]
LongTensor: Final = TYPES["LongTensor"]
BoolTensor: Final = TYPES["BoolTensor"]

_default_type: TensorType | None = None


def set_default_tensor_type(t: TensorType | str, /) -> None:
    """Sets the default dtype, and for a CUDA type the device of ``torch.Tensor(...)``, from a typed class or its name.

    TypeError for a type that is not floating or not available.
    """
    global _default_type
    found: Any = t
    if isinstance(t, str):
        module, _, name = t.rpartition(".")
        found = {"torch": TYPES, "torch.cuda": CUDA_TYPES}.get(module, {}).get(name)
        if found is None:
            raise ModuleNotFoundError(f"No module named '{t}'") if not module else TypeError(f"invalid type name: {t}")
    if not isinstance(found, TensorType):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    if not found.dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    found._require()
    set_default_dtype(found.dtype)
    _default_type = found if found.is_cuda else None


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """Returns the type's legacy name ("torch.FloatTensor") or the tensor in another dtype, named or typed."""
    if dtype is None:
        where = self._key.device.type
        return f"{'torch' if where == 'cpu' else f'torch.{where}'}.{self._key.dtype.legacy}Tensor"
    if isinstance(dtype, str):
        module, _, name = dtype.rpartition(".")
        found = {"torch": TYPES, "torch.cuda": CUDA_TYPES}.get(module, {}).get(name)
        if found is None and dtype != "torch.Tensor":
            kinds = {d.legacy + "Tensor": d for d in dtypes.ALL} if module == "torch" else {}
            if name not in kinds:
                raise ValueError(f"invalid type: '{dtype}'")
            return to(self, kinds[name])
        dtype = Tensor if found is None else found
    if dtype is Tensor:
        return to(self, get_default_dtype())
    if isinstance(dtype, TensorType):
        dtype._require()
        return to(self, dtype.device, dtype.dtype)
    if not isinstance(dtype, DType):
        raise ValueError(f"invalid type: '{getattr(dtype, '__name__', dtype)}'")
    return to(self, dtype)


METHODS.update({"new": new, "type": type_})
METHODS["__new__"] = staticmethod(_new_tensor)
