"""What a tensor tells of itself: its printed form, its storage, and small questions with plain answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, get_default_dtype
from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.ops.convert import like_class
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor import format as printing
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Parameter, Tensor, alias_of, storage_of

__all__ = ["Layout", "strided"]


class Layout:
    """How a tensor's elements are kept: torch's ``torch.layout``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


strided: Final = Layout("strided")


# --- printing --------------------------------------------------------------------------------------------------------


def _describe(self: Tensor, *, tensor_contents: Any = None) -> str:
    key = self._key
    if key.view:
        refresh(self)
        key = self._key
    host = interop.to_host(self)
    edge = self._edge
    node = edge[0] if type(edge) is tuple else edge
    silent = key.device.type == "cpu"
    text = printing.render(
        lambda index: host[index],
        tuple(self._a.shape),
        dtype=key.dtype.name,
        default_dtype=get_default_dtype().name,
        device=None if silent else str(key.device),
        requires_grad=key.requires,
        grad_fn=None if node is None else node.name().rpartition("::")[2],
        head="tensor" if type(self).__module__.partition(".")[0] == __name__.partition(".")[0] else type(self).__name__,
    )
    return "Parameter containing:\n" + text if isinstance(self, Parameter) else text


def _format(self: Tensor, spec: str) -> str:
    if not self._a.shape and type(self) is Tensor:
        return format(METHODS["item"](self), spec)
    return object.__format__(self, spec)


# --- small questions -------------------------------------------------------------------------------------------------


@composite(method=True)
def is_floating_point(input: Tensor) -> bool:
    """Returns whether the dtype is a floating one."""
    return input._key.dtype.is_floating_point


@composite(method=True)
def is_complex(input: Tensor) -> bool:
    """Returns whether the dtype is a complex one."""
    return input._key.dtype.is_complex


@composite(method=True, function=False)
def is_signed(input: Tensor) -> bool:
    """Returns whether the dtype has negative values."""
    return input._key.dtype.is_signed


@composite()
def is_tensor(obj: Any) -> bool:
    """Returns whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


@composite()
def numel(input: Tensor) -> int:
    """Returns the number of elements."""
    return input.numel()


@composite(method=True, function=False)
def get_device(input: Tensor) -> int:
    """Returns the index of the device, -1 for the CPU."""
    index = input._key.device.index
    return -1 if input._key.device.type == "cpu" else index or 0


def _as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """Returns the tensor as one of another class, over the same memory and with its history."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your "
            "class inherits from Tensor."
        )
    out = like_class(alias_of(self), cls, self._key.requires)
    out._edge = self._edge
    return out


def _make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False) -> Tensor:
    """Returns a leaf of class ``cls`` over the memory of ``data``."""
    return like_class(alias_of(data), cls, require_grad)


def _module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """Returns what a parameter becomes when a state dict brings ``other``: itself, written, or ``other``."""
    return METHODS["detach"](other if assign else METHODS["copy_"](self, other))  # type: ignore[no-any-return]  # of the table


def _to_dense(self: Tensor, dtype: DType | None = None, *, masked_grad: bool | None = None) -> Tensor:
    """Returns the tensor itself, which is dense; in another dtype if one is given."""
    return self if dtype is None else METHODS["to"](self, dtype)


def _chalf(self: Tensor, *, memory_format: Any = None) -> Tensor:
    """Raises NotImplementedError: no backend has complex numbers of half precision."""
    raise NotImplementedError("chalf(): no backend has elements of torch.complex32; use cfloat()")


def _grad_dtype(self: Tensor) -> DType | None:
    if self._edge is not None:
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    return self._key.dtype


def _set_grad_dtype(self: Tensor, dtype: DType | None) -> None:
    if self._edge is not None:
        raise RuntimeError("grad_dtype can only be set on leaf tensors.")
    if dtype is not None and not isinstance(dtype, DType):
        raise RuntimeError(f"grad_dtype must be a torch.dtype or None, but got {type(dtype).__name__}")
    if dtype is not self._key.dtype:
        raise NotImplementedError("a gradient of another dtype than its tensor's is not supported")


def _not_sparse(name: str, wanted: str = "sparse coordinate tensor") -> Any:
    def refuse(self: Tensor) -> Any:
        raise RuntimeError(f"{name} expected {wanted} layout but got Strided")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises RuntimeError: the tensor is dense."
    return refuse


def _reversed(self: Tensor) -> Tensor:
    return METHODS["flip"](self, 0) if self._a.shape else self


def _delete(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items")


def _pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Returns the tensor itself, where there is a device to copy to; RuntimeError where there is none, as in torch."""
    try:
        backend_for_device("cuda" if device is None else Device(device).type)
    except DeviceUnavailableError:
        raise RuntimeError("Cannot access accelerator device when none is available.") from None
    return self


def _of_type(kind: str) -> Any:
    return property(lambda self: self._key.device.type == kind)


def _iterate(self: Tensor) -> Iterator[Tensor]:
    if not self._a.shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(METHODS["unbind"](self, 0))


def _contains(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float, complex, bool)):
        return bool((self == element).any())
    raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


def _is_view(self: Tensor) -> bool:
    """Returns whether the tensor is a view of another."""
    return self._extra is not None and self._extra.base is not None


def _name(self: Tensor) -> str | None:
    return None if self._extra is None else self._extra.name


METHODS.update(
    {
        "__repr__": _describe,
        "__format__": _format,
        "__iter__": _iterate,
        "__contains__": _contains,
        "_is_view": _is_view,
        "layout": property(lambda self: strided),  # type: ignore[dict-item]  # members, not functions
        "is_cuda": property(lambda self: self._key.device.type == "cuda"),  # type: ignore[dict-item]  # as above
        "is_cpu": property(lambda self: self._key.device.type == "cpu"),  # type: ignore[dict-item]  # as above
        "is_sparse": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_quantized": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_sparse_csr": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_nested": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_mkldnn": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "grad_dtype": property(_grad_dtype, _set_grad_dtype),  # type: ignore[dict-item]  # as above
        **{f"is_{kind}": _of_type(kind) for kind in ("mps", "xla", "xpu", "ipu", "vulkan", "maia", "mtia", "hpu")},
        "is_meta": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "nbytes": property(lambda self: self.numel() * self._key.dtype.itemsize),  # type: ignore[dict-item]  # as above
        "itemsize": property(lambda self: self._key.dtype.itemsize),  # type: ignore[dict-item]  # as above
        "_base": property(lambda self: None if self._extra is None else self._extra.base),  # type: ignore[dict-item]  # as above
        "name": property(_name),  # type: ignore[dict-item]  # as above
        "__reversed__": _reversed,
        "__delitem__": _delete,
        "as_subclass": _as_subclass,
        "module_load": _module_load,
        "to_dense": _to_dense,
        "chalf": _chalf,
        "dense_dim": lambda self: len(self._a.shape),
        "sparse_dim": lambda self: 0,
        "coalesce": _not_sparse("coalesce"),
        "is_coalesced": _not_sparse("is_coalesced"),
        "indices": _not_sparse("indices"),
        "values": _not_sparse("values", "sparse tensor"),
        "const_data_ptr": lambda self: self.data_ptr(),
        "_make_subclass": staticmethod(_make_subclass),
        "is_pinned": lambda self, device=None: False,
        "pin_memory": _pin_memory,
        "is_inference": lambda self: self._key.inference,
        "is_conj": lambda self: False,
        "is_neg": lambda self: False,
        "resolve_conj": lambda self: self,
        "resolve_neg": lambda self: self,
        "is_same_size": lambda self, other: tuple(self._a.shape) == tuple(other._a.shape),
        "is_set_to": lambda self, tensor: (
            storage_of(self) is storage_of(tensor) and self.data_ptr() == tensor.data_ptr()
        ),
    }
)
