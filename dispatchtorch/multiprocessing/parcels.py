"""Objects with tensors, sent through one socket: a pickle stream, and beside it descriptors of shared memory.

What is under way belongs to the socket, so nothing is left behind when either end dies. Small tensors lie in the stream
itself, which is quicker than to map memory for them. Must not know: what is sent, or why.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import threading
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any, Final

from dispatchtorch._base.host import np
from dispatchtorch.multiprocessing.reductions import arrived, check_travels, landed
from dispatchtorch.ops.sharing import Block, block_of
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Parameter, Tensor, lens_of

__all__ = ["SMALL", "Parcel", "receive"]

SMALL: Final = 1 << 14  # bytes up to which copying through a pipe beats two maps of a page each
_MOST: Final = 250  # descriptors that one message may bring

_CROWDED: Final = (
    "Too many open files. Communication with the workers is no longer possible. Please increase the limit using "
    "`ulimit -n` in the shell or change the sharing strategy by calling "
    "`torch.multiprocessing.set_sharing_strategy('file_system')` at the beginning of your code"
)


class _Here(threading.local):
    """The blocks of the parcel that this thread is opening."""

    blocks: tuple[Block, ...] = ()


_here: Final = _Here()


def _from_block(slot: int, *facts: Any) -> Tensor:
    return arrived(_here.blocks[slot], *facts)


class _Packer(reduction.ForkingPickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.blocks: dict[int, tuple[int, Block]] = {}
        self.dispatch_table.update({Tensor: self._reduce, Parameter: self._reduce})  # of this pickler alone

    def _slot(self, block: Block) -> int:
        return self.blocks.setdefault(block.address(), (len(self.blocks), block))[0]

    def _reduce(self, t: Tensor) -> Any:
        check_travels(t)
        kind, key = type(t), t._key
        block = block_of(t)
        if block is not None and block.fd >= 0:
            lens = lens_of(t)
            return _from_block, (
                self._slot(block), kind, key.dtype, lens.shape, lens.strides, lens.offset, key.requires,
            )  # fmt: skip
        host = interop.to_host(t)
        if host.nbytes <= SMALL:
            return _from_bytes, (kind, bytearray(host.tobytes()), key.dtype, host.shape, key.requires)
        block = Block.new(host.nbytes)
        seen = np.frombuffer(block, np.uint8, host.nbytes).view(host.dtype).reshape(host.shape)
        np.copyto(seen, host)
        strides = tuple([s // seen.itemsize for s in seen.strides])
        return _from_block, (self._slot(block), kind, key.dtype, host.shape, strides, 0, key.requires)


def _from_bytes(kind: type[Tensor], data: bytearray, dtype: Any, shape: tuple[int, ...], requires: bool) -> Tensor:
    host: np.ndarray[Any, Any] = np.ndarray(shape, interop.host_dtype(dtype), data)
    return landed(kind, host, requires)


class Parcel:
    """An object made ready to be sent, to one receiver or several."""

    __slots__ = ("_blocks", "_stream")

    def __init__(self, what: Any) -> None:
        buffer = io.BytesIO()
        packer = _Packer(buffer)
        packer.dump(what)
        self._blocks = [block for _, block in packer.blocks.values()]
        self._stream = buffer.getbuffer()

    def send(self, connection: Connection) -> None:
        """Writes the parcel to one end of a socket pair."""
        connection.send_bytes(pickle.dumps([block.nbytes for block in self._blocks]))
        connection.send_bytes(self._stream)
        if self._blocks:
            with _line(connection) as line:
                for begin in range(0, len(self._blocks), _MOST):
                    reduction.sendfds(line, [block.fd for block in self._blocks[begin : begin + _MOST]])


def _line(connection: Connection) -> socket.socket:
    """Returns the connection's socket, which alone can carry descriptors; to be closed."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def receive(connection: Connection) -> Any:
    """Returns the next object that comes through a socket; EOFError where the other end is gone."""
    sizes: list[int] = pickle.loads(connection.recv_bytes())
    stream = connection.recv_bytes()
    blocks: list[Block] = []
    if sizes:
        try:
            with _line(connection) as line:
                fds: list[int] = []
                while len(fds) < len(sizes):
                    fds += reduction.recvfds(line, min(_MOST, len(sizes) - len(fds)))
            blocks = [Block.mapped(fd, nbytes, keep=False) for fd, nbytes in zip(fds, sizes, strict=True)]
        except (OSError, RuntimeError) as error:
            if isinstance(error, ConnectionError):
                raise EOFError from None
            raise RuntimeError(_CROWDED) from error
    before, _here.blocks = _here.blocks, tuple(blocks)
    try:
        return pickle.loads(stream)
    finally:
        _here.blocks = before
