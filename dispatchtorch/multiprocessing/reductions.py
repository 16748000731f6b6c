"""How tensors travel between processes: their storage in shared memory, and a descriptor of it.

Teaches the pickler of Python's own ``multiprocessing``, so any of its queues and pipes carries tensors. Must not know:
data loaders.
"""

from __future__ import annotations

from multiprocessing import reduction
from typing import Any, Protocol

from dispatchtorch._base.device import CPU, Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.sharing import Block, block_of, lives_in_host_memory, over_block, share_memory_, tensor_over
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage, whole_of
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Parameter, Tensor, lens_of, wrap

__all__ = ["arrived", "check_travels", "init_reductions", "landed"]


class _Handle(Protocol):
    def detach(self) -> int: ...


def check_travels(t: Tensor) -> None:
    """Raises RuntimeError for a tensor with a history, which is of one process."""
    if t._edge is not None:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
            "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor before "
            "serializing (e.g., putting it on the queue)."
        )


def landed(kind: type[Tensor], host: np.ndarray[Any, Any], requires_grad: bool, device: Device = CPU) -> Tensor:
    """Returns a tensor on this process's backend over a host array that nobody else holds."""
    backend = backend_for_device(device.type)
    if lives_in_host_memory(backend):
        made = wrap(host, intern_key(backend, CPU, interop.dtype_of_host(host), not host.shape))
    else:
        made = interop.from_host(host, device, backend)
    return _as_kind(kind, made, requires_grad)


def arrived(
    block: Block, kind: type[Tensor], dtype: DType, shape: Any, strides: Any, offset: int, requires_grad: bool
) -> Tensor:
    """Returns a tensor over a block that another process has filled, or with its values where that cannot be."""
    backend = backend_for_device("cpu")
    if lives_in_host_memory(backend):
        return _as_kind(kind, tensor_over(block, dtype, shape, strides, offset, backend), requires_grad)
    return landed(kind, over_block(block, dtype, shape, strides, offset), requires_grad)


def _as_kind(kind: type[Tensor], made: Tensor, requires_grad: bool) -> Tensor:
    if kind is Parameter:
        return Parameter(made, requires_grad)
    return METHODS["requires_grad_"](made) if requires_grad else made


def _received(handle: _Handle, nbytes: int, *facts: Any) -> Tensor:
    return arrived(Block.mapped(handle.detach(), nbytes, keep=True), *facts)


def _reduce_tensor(t: Tensor) -> Any:
    """Returns how another process maps the tensor's storage, which moves to shared memory if it is not there."""
    check_travels(t)
    if not lives_in_host_memory(t._key.backend):
        host = np.ascontiguousarray(interop.to_host(t))
        return landed, (type(t), host, t._key.requires, t._key.device)
    share_memory_(t)
    block, lens = block_of(t), lens_of(t)
    assert block is not None  # it has just been moved there
    handle = reduction.DupFd(block.fd)
    return _received, (
        handle, block.nbytes, type(t), t._key.dtype, lens.shape, lens.strides, lens.offset, t._key.requires,
    )  # fmt: skip


def _typed_again(whole: Tensor) -> TypedStorage:
    return TypedStorage.over(whole)


def _untyped_again(whole: Tensor) -> UntypedStorage:
    return UntypedStorage.over(whole)


def _reduce_storage(storage: TypedStorage | UntypedStorage) -> Any:
    again = _typed_again if isinstance(storage, TypedStorage) else _untyped_again
    return again, (whole_of(storage._whole),)


def init_reductions() -> None:
    """Teaches the pickler of ``multiprocessing`` how tensors and storages travel."""
    for kind in (Tensor, Parameter):
        reduction.ForkingPickler.register(kind, _reduce_tensor)
    for storage in (TypedStorage, UntypedStorage):
        reduction.ForkingPickler.register(storage, _reduce_storage)
