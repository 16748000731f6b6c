"""The source of bits: one Mersenne Twister, stepped and stored as torch steps and stores it.

It knows 32-bit words, 64-bit words and the 5056 bytes of ``torch.get_rng_state()``. It must not know distributions,
dtypes or tensors.
"""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch._base.host import np
from dispatchtorch._base.late import ctypes
from dispatchtorch.random.block import EMPTY, Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFAULT_SEED", "STATE_BYTES", "Engine"]

DEFAULT_SEED: Final = 67280421310721
STATE_BYTES: Final = 5056

_WORDS: Final = 624
_HEAD: Final = struct.Struct("<QiiQ")  # seed, words left in the block, seeded, position in the block
_TAIL: Final = struct.Struct("<dddi4xf?3x")  # x, y, rho, y is valid; next float, next float is valid
_KEY_END: Final = _HEAD.size + 8 * _WORDS
_BLOCK: Final = 1 << 14  # words that are drawn, with 64 bits spent on each, and narrowed while they are in the cache
_MASK53: Final = (1 << 53) - 1
_SHORT: Final = 2064  # words of a draw that is served from a block
_STREAK: Final = 3  # so many short draws, one after another, and words are drawn ahead
_FIRST: Final = 1 << 12  # words of a first block; later ones have `_BLOCK`


def _memory_of(bits: Any) -> NDArray[np.uint32] | None:
    """Return the words of a twister's state and its position, where they lie; None if they do not lie as expected."""
    address = bits.ctypes.state_address
    memory = np.frombuffer(memoryview((ctypes.c_uint32 * (_WORDS + 1)).from_address(address)), np.uint32)
    inner = bits.state["state"]
    return memory if memory[_WORDS] == inner["pos"] and (memory[:_WORDS] == inner["key"]).all() else None


class Engine:
    """The state of one stream of random bits.

    >>> Engine(1).words32(2)
    array([1791095845, 4282876139], dtype=uint32)
    """

    __slots__ = ("_bits", "_filler", "_fresh", "_lock", "_made", "_memory", "_seeder", "_streak", "block",
                 "initial_seed", "next_double", "next_float")  # fmt: skip

    if TYPE_CHECKING:
        _bits: Any  # this and the memory of its state are made by `__getattr__`
        _memory: NDArray[np.uint32] | None

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._made = False
        self._lock = threading.RLock()
        self.block = EMPTY  # words that are drawn already, and not yet given out
        self.seed(seed)

    def __getattr__(self, name: str) -> Any:
        """Returns one of numpy's three faces of the twister, made at the first draw: numpy.random is slow to import."""
        if name == "_memory":
            self._memory = _memory_of(self._bits)
            return self._memory
        if name not in ("_bits", "_filler", "_seeder"):
            raise AttributeError(name)
        self._bits = np.random.MT19937(0)
        self._seeder = np.random.RandomState(self._bits)
        self._filler = np.random.Generator(self._bits)
        self._seeder.seed(self.initial_seed & 0xFFFF_FFFF)
        self._made = True
        return getattr(self, name)

    def seed(self, seed: int) -> None:
        """Start the stream that belongs to ``seed``; as in torch its low 32 bits choose it, all 64 are remembered."""
        with self._lock:
            self.initial_seed = seed & 0xFFFF_FFFF_FFFF_FFFF
            if self._made:
                self._seeder.seed(seed & 0xFFFF_FFFF)
            self._fresh = True
            self._restart()
            self.next_double: float | None = None  # the second normal of a pair, kept for the next call
            self.next_float: float | None = None  # stored in states, never drawn on the CPU

    def _restart(self) -> None:
        """Forget the words that were drawn ahead, since the state is another one now."""
        self.block.rest()
        self.block = EMPTY
        self._streak = 0

    def room(self, count: int) -> Block | None:
        """Return the block of words drawn ahead, if it still has ``count``; None if nothing is to be drawn ahead.

        Short draws that follow one another are served from a block: a word costs less there, and what is made of words
        can be made for many calls at once. Who draws words from a block does so by `Block.claim`.
        """
        if count > _SHORT or not count:
            return None
        block = self.block
        if block.at + count <= block.end:
            return block
        self._streak += 1
        return self._next_block() if self._streak >= _STREAK else None

    def _next_block(self) -> Block | None:
        with self._lock:
            memory = self._memory
            if memory is None:
                return None
            size = _BLOCK if self.block.end else _FIRST
            places, rest = self.block.rest()
            left = 0 if rest is None else int(rest.size)
            words = np.empty(left + size, np.uint32)
            if left:
                words[:left] = rest
            kept = memory.copy()
            words[left:] = self._bits.random_raw(size)
            self._fresh = False
            self.block = self.block.followed(words, [*places, (left, kept, 0)])
            return self.block

    def _settle(self) -> None:
        """Put the twister back to where the stream is: words that were drawn ahead and not given out are undrawn."""
        places, _ = self.block.rest()
        self._restart()
        if places:
            _, kept, steps = places[0]
            assert self._memory is not None  # or there would be no block
            self._memory[...] = kept
            self._bits.random_raw(steps, False)

    def words32(self, count: int) -> NDArray[np.uint32]:
        """Return the next ``count`` words of 32 bits."""
        block = self.room(count)
        at = -1 if block is None else block.claim(count)
        if block is not None and at >= 0:
            few: NDArray[np.uint32] = block.words[at : at + count].copy()
            return few
        with self._lock:
            if count:
                self._fresh = False
            raw = self._bits.random_raw
            ahead = self.block.take(count)
            if count <= _BLOCK and ahead is None:
                few = raw(count).astype(np.uint32)
                return few
            out = np.empty(count, np.uint32)
            begin = 0 if ahead is None else int(ahead.size)
            if begin:
                out[:begin] = ahead
            for start in range(begin, count, _BLOCK):
                out[start : start + _BLOCK] = raw(min(_BLOCK, count - start))
            return out

    def words64(self, count: int) -> NDArray[np.uint64]:
        """Return the next ``count`` words of 64 bits, each made of two draws, the high half first."""
        if 2 * count <= _SHORT:
            halves = self.words32(2 * count).astype(np.uint64)
            return (halves[0::2] << np.uint64(32)) | halves[1::2]
        with self._lock:
            self._settle()
            self._fresh = False
            return self._filler.integers(0, 1 << 64, size=count, dtype=np.uint64)

    def double(self) -> float:
        """Return one number of [0, 1) with 53 random bits."""
        block = self.room(2)
        at = -1 if block is None else block.claim(2)
        if block is not None and at >= 0:
            item = block.words.item
            high, low = item(at), item(at + 1)
        else:
            high, low = self.words32(2).tolist()
        return float((high << 32 | low) & _MASK53) * 2.0**-53

    def doubles(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers of [0, 1) with 53 random bits each."""
        words = self.words64(count)
        words &= np.uint64(_MASK53)
        out = words.view(np.int64).astype(np.float64)
        out *= 2.0**-53
        return out

    def state_bytes(self) -> bytes:
        """Return the state as torch stores it: 5056 bytes that continue this stream here and there."""
        with self._lock:
            self._settle()
            inner: Any = self._bits.state["state"]  # numpy types it as a loose mapping
        position = 0 if self._fresh else int(inner["pos"])
        left = 1 if self._fresh else _WORDS + 1 - position
        cached, single = self.next_double, self.next_float
        return b"".join(
            (
                _HEAD.pack(self.initial_seed, left, 1, position),
                inner["key"].astype("<u8").tobytes(),
                _TAIL.pack(0.0, cached or 0.0, 0.0, cached is not None, single or 0.0, single is not None),
            )
        )

    def load_state_bytes(self, state: bytes) -> None:
        """Continue the stream that ``state`` describes; a state that torch would refuse raises its error."""
        if len(state) != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} "
                f"but found the input RNG state size to be {len(state)}"
            )
        seed, left, seeded, position = _HEAD.unpack_from(state)
        # torch would also take a block whose two counters disagree, and read past its end; nothing writes such a state.
        consistent = left == 1 or left + position == _WORDS + 1
        if not (seeded and 0 < left <= _WORDS and position <= _WORDS and consistent):
            raise RuntimeError("Invalid mt19937 state")
        key = np.frombuffer(state, "<u8", _WORDS, _HEAD.size).astype(np.uint32)
        with self._lock:
            self._fresh = left == 1 and position == 0
            self._restart()
            self._bits.state = {
                "bit_generator": "MT19937",
                "state": {"key": key, "pos": _WORDS if left == 1 else position},
            }
        _, cached, _, has_cached, single, has_single = _TAIL.unpack_from(state, _KEY_END)
        self.initial_seed = seed
        self.next_double = cached if has_cached else None
        self.next_float = single if has_single else None

    def copy(self) -> Engine:
        """Return an engine that continues as this one will, independently."""
        twin = Engine(self.initial_seed)
        twin.load_state_bytes(self.state_bytes())
        return twin
