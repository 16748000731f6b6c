"""What a tensor tells of itself: its printed form, its storage, and small questions with plain answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base.dtypes import get_default_dtype
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.tensor import format as printing
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Parameter, Tensor, storage_of

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
