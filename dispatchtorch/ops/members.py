"""What a tensor tells of itself: its printed form, its storage, and small questions with plain answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base.dtypes import DType, get_default_dtype
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.tensor import format as printing
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Parameter, Tensor, storage_of, view_of

__all__ = ["Layout", "TypedStorage", "UntypedStorage", "strided"]


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
    )
    return "Parameter containing:\n" + text if isinstance(self, Parameter) else text


def _format(self: Tensor, spec: str) -> str:
    if not self._a.shape and type(self) is Tensor:
        return format(METHODS["item"](self), spec)
    return object.__format__(self, spec)


# --- storages --------------------------------------------------------------------------------------------------------


class UntypedStorage:
    """The bytes that a tensor and its views share: torch's ``torch.UntypedStorage``."""

    def __init__(self, storage: Storage, itemsize: int) -> None:
        self._storage = storage
        self._itemsize = itemsize

    def data_ptr(self) -> int:
        """Returns the address of the first byte; the same before and after an in-place op, and for every view."""
        return self._storage.address()

    def nbytes(self) -> int:
        """Returns the size in bytes."""
        return self._storage.size * self._itemsize

    size = __len__ = nbytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._storage is other._storage

    def __hash__(self) -> int:
        return id(self._storage)


class TypedStorage:
    """The elements that a tensor and its views share, in a row: what ``tensor.storage()`` returns."""

    def __init__(self, storage: Storage, whole: Tensor, dtype: DType) -> None:
        self._storage = storage
        self._whole = whole
        self.dtype = dtype

    def data_ptr(self) -> int:
        """Returns the address of the first element; the same before and after an in-place op, and for every view."""
        return self._storage.address()

    def size(self) -> int:
        """Returns the number of elements."""
        return self._storage.size

    __len__ = size

    def nbytes(self) -> int:
        """Returns the size in bytes."""
        return self._storage.size * self.dtype.itemsize

    def element_size(self) -> int:
        """Returns the size of an element in bytes."""
        return self.dtype.itemsize

    def untyped(self) -> UntypedStorage:
        """Returns the same memory as bytes."""
        return UntypedStorage(self._storage, self.dtype.itemsize)

    def tolist(self) -> list[Any]:
        """Returns the elements as Python numbers."""
        return list(interop.to_host(self._whole).tolist())

    def __getitem__(self, index: Any) -> Any:
        got = interop.to_host(self._whole)[index]
        return got.tolist()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._whole[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __repr__(self) -> str:
        lines = "\n".join(f" {v}" for v in self.tolist())
        return f"{lines}\n[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size {len(self)}]"


def _storage(self: Tensor) -> TypedStorage:
    """Returns the elements that this tensor shares with its views."""
    storage = storage_of(self)
    whole = view_of(self, Lens((storage.size,), (1,), 0))
    return TypedStorage(storage, whole, self._key.dtype)


def _untyped_storage(self: Tensor) -> UntypedStorage:
    """Returns the bytes that this tensor shares with its views."""
    return UntypedStorage(storage_of(self), self._key.dtype.itemsize)


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
        "storage": _storage,
        "untyped_storage": _untyped_storage,
        "_is_view": _is_view,
        "layout": property(lambda self: strided),  # type: ignore[dict-item]  # members, not functions
        "is_cuda": property(lambda self: self._key.device.type == "cuda"),  # type: ignore[dict-item]  # as above
        "is_cpu": property(lambda self: self._key.device.type == "cpu"),  # type: ignore[dict-item]  # as above
        "is_sparse": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_quantized": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "is_meta": property(lambda self: False),  # type: ignore[dict-item]  # as above
        "nbytes": property(lambda self: self.numel() * self._key.dtype.itemsize),  # type: ignore[dict-item]  # as above
        "itemsize": property(lambda self: self._key.dtype.itemsize),  # type: ignore[dict-item]  # as above
        "_base": property(lambda self: None if self._extra is None else self._extra.base),  # type: ignore[dict-item]  # as above
        "name": property(_name),  # type: ignore[dict-item]  # as above
        "is_shared": lambda self: False,
        "share_memory_": lambda self: self,
        "is_pinned": lambda self, device=None: False,
        "pin_memory": lambda self, device=None: self,
        "is_inference": lambda self: False,
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
