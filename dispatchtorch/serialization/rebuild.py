"""The functions by which a checkpoint rebuilds tensors; each checks what it is given before it believes it.

They stand for torch's functions of the same names. Must not know: archives, files, allow-lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.members import Layout, strided
from dispatchtorch.ops.sparse import sparse_coo, sparse_coo_tensor
from dispatchtorch.serialization.names import locate
from dispatchtorch.serialization.storages import LoadedStorage
from dispatchtorch.tensor.tensor import Parameter, Size, Tensor

__all__ = ["FUNCTIONS", "layout", "rebuild_parameter", "rebuild_tensor", "size_of"]


def _ints(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or not all(type(n) is int and 0 <= n < 1 << 62 for n in value):
        raise TypeError(f"{what} of a tensor must be a tuple of non-negative integers")
    if len(value) > 64:
        raise ValueError(f"a tensor cannot have {len(value)} dimensions")
    return tuple(value)


def rebuild_tensor(storage: Any, storage_offset: Any, size: Any, stride: Any) -> Tensor:
    """Returns a tensor over part of a storage; TypeError or RuntimeError where the numbers make no sense."""
    if not isinstance(storage, LoadedStorage):
        raise TypeError(f"a tensor is rebuilt from a storage, not from {type(storage).__name__}")
    shape, strides = _ints(size, "size"), _ints(stride, "stride")
    (offset,) = _ints((storage_offset,), "storage offset")
    if len(shape) != len(strides):
        raise RuntimeError(
            f"mismatch in length of strides and shape: {len(strides)} strides for {len(shape)} dimensions"
        )
    return storage.view(shape, strides, offset)


def _requiring(t: Tensor, requires_grad: Any) -> Tensor:
    if requires_grad is True:
        METHODS["requires_grad_"](t, True)
    return t


def rebuild_tensor_v2(
    storage: Any,
    storage_offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    metadata: Any = None,
) -> Tensor:
    """Returns a tensor over part of a storage, requiring a gradient or not; hooks are not brought back."""
    return _requiring(rebuild_tensor(storage, storage_offset, size, stride), requires_grad)


def rebuild_tensor_v3(
    storage: Any, storage_offset: Any, size: Any, stride: Any, requires_grad: Any, backward_hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
    """Returns a tensor over part of a storage of bytes, in the dtype that is named."""
    if not isinstance(dtype, DType) or not isinstance(storage, LoadedStorage):
        raise TypeError("a tensor is rebuilt from a storage and a dtype")
    return _requiring(rebuild_tensor(storage.as_dtype(dtype), storage_offset, size, stride), requires_grad)


def rebuild_parameter(data: Any, requires_grad: Any, backward_hooks: Any = None) -> Parameter:
    """Returns a parameter that shares a tensor's storage."""
    if not isinstance(data, Tensor):
        raise TypeError(f"a parameter is rebuilt from a tensor, not from {type(data).__name__}")
    return Parameter(data, requires_grad is True)


def rebuild_parameter_with_state(data: Any, requires_grad: Any, backward_hooks: Any, state: Any) -> Parameter:
    """Returns a parameter with the attributes that a program had put on it."""
    made = rebuild_parameter(data, requires_grad)
    _with_state(made, state)
    return made


def _with_state(t: Any, state: Any) -> Any:
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts:
        if part is None:
            continue
        if not isinstance(part, Mapping) or not all(type(name) is str for name in part):
            raise TypeError(f"the attributes of a tensor must be a dict, not {type(part).__name__}")
        t.__dict__.update(part)
    return t


def rebuild_from_type_v2(func: Any, kind: Any, args: Any, state: Any) -> Any:
    """Returns a tensor of a class, or one with attributes; only the functions of this file are called."""
    if func not in FUNCTIONS.values() or not isinstance(args, tuple):
        raise TypeError("a tensor with attributes is rebuilt by one of the functions for tensors")
    made = func(*args)
    if kind is Tensor and isinstance(state, dict) and state.get("_is_buffer") is True:
        buffer = locate("torch.nn.parameter", "Buffer")
        made = buffer(made, persistent=state.get("persistent", True) is True)
        state = {name: value for name, value in state.items() if name not in ("_is_buffer", "persistent")}
    elif kind is not Tensor and type(made) is not kind:
        if not (isinstance(kind, type) and issubclass(kind, Tensor)):
            raise TypeError(f"a tensor cannot be rebuilt as {kind!r}")
        made = METHODS["as_subclass"](made, kind) if "as_subclass" in METHODS else made
    return _with_state(made, state)


def size_of(sizes: Any = ()) -> Size:
    """Returns a shape."""
    return Size(_ints(sizes, "size"))


def device_of(kind: Any = "cpu", index: Any = None) -> Device:
    """Returns a device."""
    if type(kind) is not str or not (index is None or type(index) is int):
        raise TypeError("a device is a string and an index")
    return Device(kind, index)


def layout(name: Any) -> Layout:
    """Returns a layout by torch's name of it; RuntimeError for one that is neither strided nor in coordinates."""
    if name == "torch.sparse_coo":
        return sparse_coo
    if name != "torch.strided":
        raise RuntimeError(
            f"the checkpoint holds a tensor of layout {name!r}; only torch.strided and torch.sparse_coo are supported"
        )
    return strided


def rebuild_sparse_tensor(kind: Any, data: Any) -> Tensor:
    """Returns a sparse tensor; coordinates that do not fit into its sizes are refused."""
    if kind is not sparse_coo or not isinstance(data, tuple) or len(data) not in (3, 4):
        raise TypeError("a sparse tensor is rebuilt from its layout, its indices, values and size")
    if not isinstance(data[0], Tensor) or not isinstance(data[1], Tensor):
        raise TypeError("the indices and values of a sparse tensor must be tensors")
    coalesced = data[3] if len(data) == 4 and type(data[3]) is bool else None
    return sparse_coo_tensor(data[0], data[1], _ints(data[2], "size"), check_invariants=True, is_coalesced=coalesced)


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        raise NotImplementedError(f"the checkpoint holds {what}, which dispatchtorch does not have")

    return refuse


#: torch's functions for tensors, by their full paths.
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type_v2,
    "torch.serialization._get_layout": layout,
    "torch._utils._rebuild_qtensor": _refusing("a quantized tensor"),
    "torch._utils._rebuild_sparse_tensor": rebuild_sparse_tensor,
    "torch._utils._rebuild_nested_tensor": _refusing("a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": _refusing("a tensor without values"),
    "torch._utils._rebuild_wrapper_subclass": _refusing("a wrapper subclass"),
    "torch._utils._rebuild_device_tensor_from_numpy": _refusing("a tensor of a foreign device"),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _refusing("a tensor of a foreign device"),
}
