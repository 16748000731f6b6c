"""Memory that several processes see: ``Tensor.share_memory_``, ``is_shared``, and the blocks underneath.

A block is memory behind a file descriptor without a name: nothing has to be unlinked, and the kernel takes it back when
the last process that maps it is gone, however that process went. Must not know: queues, processes, who is sent what.
"""

from __future__ import annotations

import gc
import mmap
import os
import sys
import weakref
from typing import Any, Final

from dispatchtorch._base.device import CPU
from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.host import np
from dispatchtorch._base.late import tempfile
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.storage import Cell, Storage
from dispatchtorch.tensor.tensor import Tensor, lens_of, storage_of, wrap

__all__ = [
    "Block", "block_of", "is_shared", "lives_in_host_memory", "over_block", "share_memory_", "shareable_empty",
    "tensor_over",
]  # fmt: skip


class Block(mmap.mmap):
    """Mapped memory that another process maps too once it is handed ``fd``; -1 where it was not kept."""

    fd: int
    nbytes: int
    __hash__ = object.__hash__

    @classmethod
    def new(cls, nbytes: int) -> Block:
        """Returns memory of zeros that no other process knows yet."""
        if os.name != "posix":
            raise NotImplementedError("memory is shared by file descriptors here, which takes a POSIX system")
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("dispatchtorch", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        try:
            os.ftruncate(fd, max(nbytes, 1))
            return cls.mapped(fd, nbytes, keep=True)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def mapped(cls, fd: int, nbytes: int, *, keep: bool) -> Block:
        """Returns the memory behind a descriptor, which is closed at once unless it is kept for others."""
        block = cls(fd, max(nbytes, 1))
        block.nbytes = nbytes
        block.fd = fd if keep else -1
        if keep:
            weakref.finalize(block, os.close, fd).atexit = False
        else:
            os.close(fd)
        _blocks[block.address()] = block
        return block

    def address(self) -> int:
        """Returns where the memory begins in this process."""
        return int(np.frombuffer(self, np.uint8).__array_interface__["data"][0])


_blocks: Final[weakref.WeakValueDictionary[int, Block]] = weakref.WeakValueDictionary()


def lives_in_host_memory(backend: Backend) -> bool:
    """Returns whether a backend's arrays are the host's own, so that they can lie in shared memory."""
    return backend.aliasing == "native" and backend.namespace is sys.modules.get(np.__name__)


def block_of(t: Tensor) -> Block | None:
    """Returns the block in which a tensor's storage lies; None where it is this process's own memory."""
    if not lives_in_host_memory(t._key.backend):
        return None
    return _blocks.get(storage_of(t).address())


def over_block(
    block: Block, dtype: DType, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0
) -> np.ndarray[Any, Any]:
    """Returns a host array over part of a block; ``strides`` and ``offset`` count elements."""
    kind = interop.host_dtype(dtype)
    steps = None if strides is None else tuple([s * kind.itemsize for s in strides])
    whole: np.ndarray[Any, Any] = np.frombuffer(block, np.uint8, block.nbytes)
    if strides is None:
        return whole.view(kind).reshape(shape)
    # As integers, or records, of the same size: numpy cannot spell the types of ml_dtypes.
    seen = whole[offset * kind.itemsize :].view(f"V{kind.itemsize}")
    return np.lib.stride_tricks.as_strided(seen, shape, steps).view(kind)


def tensor_over(
    block: Block, dtype: DType, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, backend: Backend
) -> Tensor:
    """Returns a tensor over part of a block, on a backend whose arrays live in the host's memory."""
    root = over_block(block, dtype, (block.nbytes // dtype.itemsize,))
    made = wrap(backend.strided(root, shape, strides, offset), intern_key(backend, CPU, dtype, not shape))
    made._cell = Cell(Storage(root, backend))
    return made


def shareable_empty(shape: tuple[int, ...], dtype: DType) -> Tensor | None:
    """Returns a row-major tensor in a new block, to compute into; None where the backend's arrays cannot lie there."""
    backend = backend_for_device("cpu")
    if not lives_in_host_memory(backend):
        return None
    count = int(np.prod(shape, dtype=np.int64))
    host = over_block(Block.new(count * dtype.itemsize), dtype, shape)
    return wrap(host, intern_key(backend, CPU, dtype, not shape))


def share_memory_(self: Tensor) -> Tensor:
    """Returns the tensor after moving its storage, with all views of it, to memory that other processes can map.

    Nothing happens where it is there already, or on a GPU. NotImplementedError on libraries whose arrays cannot be
    changed: nobody could see a write.

    >>> torch.zeros(2).share_memory_().is_shared()
    True
    """
    backend = self._key.backend
    if self._key.device.type != "cpu":
        return self
    if not lives_in_host_memory(backend):
        raise NotImplementedError(
            f"tensors of the backend {backend.name!r} cannot lie in shared memory: its arrays cannot be changed; "
            "use a backend whose arrays live in the host's memory, or send copies"
        )
    present = block_of(self)
    if present is None or present.fd < 0:
        _move(self)
    return self


def _is_alone(t: Tensor) -> bool:
    """Returns whether no other tensor sees the storage, judged by who holds it: the cell and the call, and so on."""
    cell = t._cell
    return cell is None or (sys.getrefcount(cell.storage) == 2 and sys.getrefcount(cell) == 3)


def _move(t: Tensor) -> None:
    alone, storage = _is_alone(t), storage_of(t)
    old = storage.root
    block = Block.new(old.size * old.itemsize)
    root = np.frombuffer(block, np.uint8, block.nbytes).view(old.dtype)
    root[:] = old
    for other in [t] if alone else _tensors_over(storage):
        lens, dtype = lens_of(other), other._a.dtype
        seen = np.frombuffer(block, np.uint8, root.nbytes // dtype.itemsize * dtype.itemsize).view(dtype)
        other._a = storage.backend.strided(seen, lens.shape, lens.strides, lens.offset)
    storage.root = root


def _tensors_over(storage: Storage) -> list[Tensor]:
    """Returns every living tensor that sees a storage, which only the garbage collector knows."""
    cells = [c for c in gc.get_referrers(storage) if isinstance(c, Cell) and c.storage is storage]
    return [o for c in cells for o in gc.get_referrers(c) if isinstance(o, Tensor) and o._cell is c]


def is_shared(self: Tensor) -> bool:
    """Returns whether other processes can map the tensor's storage; always true on a GPU, as in torch."""
    return self._key.device.type == "cuda" or block_of(self) is not None


METHODS.update({"share_memory_": share_memory_, "is_shared": is_shared})
