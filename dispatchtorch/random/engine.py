"""The source of bits: one Mersenne Twister, stepped and stored as torch steps and stores it.

It knows 32-bit words, 64-bit words and the 5056 bytes of ``torch.get_rng_state()``. It must not know distributions,
dtypes or tensors.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch._base.host import np

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
_SMALL: Final = 400  # below it the raw stream, with 64 bits spent on each word, is quicker than a filled array
_MASK53: Final = (1 << 53) - 1


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

    __slots__ = (
        *("_bits", "_filler", "_fresh", "_made", "_memory", "_seeder"),
        *("ahead", "drawn", "followed", "initial_seed", "next_double", "next_float"),
    )

    if TYPE_CHECKING:
        _bits: Any  # this and the memory of its state are made by `__getattr__`
        _memory: NDArray[np.uint32] | None

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._made = False
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
        self.initial_seed = seed & 0xFFFF_FFFF_FFFF_FFFF
        if self._made:
            self._seeder.seed(seed & 0xFFFF_FFFF)
        self._fresh = True
        self._restart()
        self.next_double: float | None = None  # the second normal of a pair, kept for the next call
        self.next_float: float | None = None  # stored in states, never drawn on the CPU

    def _restart(self) -> None:
        self.drawn = 0  # words since the state was set
        self.ahead: dict[int, Any] = {}  # what was made of words that are still to be drawn; see `normals`
        self.followed = -1  # how many words were drawn when the last normals had been

    def peek32(self, count: int) -> NDArray[np.uint32] | None:
        """Return the next ``count`` words without drawing them; None where the state cannot be put back quickly."""
        memory = self._memory
        if memory is None:
            return None
        kept = memory.copy()
        words: NDArray[np.uint32] = self._bits.random_raw(count).astype(np.uint32)
        memory[...] = kept
        return words

    def skip32(self, count: int) -> None:
        """Draw ``count`` words that were looked at before."""
        self._fresh = False
        self.drawn += count
        self._bits.random_raw(count, False)

    def words32(self, count: int) -> NDArray[np.uint32]:
        """Return the next ``count`` words of 32 bits."""
        if count:
            self._fresh = False
            self.drawn += count
        raw = self._bits.random_raw
        if count <= _BLOCK:
            few: NDArray[np.uint32] = raw(count).astype(np.uint32)
            return few
        out = np.empty(count, np.uint32)
        for start in range(0, count, _BLOCK):
            out[start : start + _BLOCK] = raw(min(_BLOCK, count - start))
        return out

    def words64(self, count: int) -> NDArray[np.uint64]:
        """Return the next ``count`` words of 64 bits, each made of two draws, the high half first."""
        if count:
            self._fresh = False
            self.drawn += 2 * count
        if count < _SMALL:
            raw: NDArray[np.uint64] = self._bits.random_raw(2 * count)
            return (raw[0::2] << np.uint64(32)) | raw[1::2]
        return self._filler.integers(0, 1 << 64, size=count, dtype=np.uint64)

    def double(self) -> float:
        """Return one number of [0, 1) with 53 random bits."""
        self._fresh = False
        self.drawn += 2
        raw = self._bits.random_raw
        word = (int(raw()) << 32 | int(raw())) & _MASK53
        return word * 2.0**-53

    def doubles(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers of [0, 1) with 53 random bits each."""
        words = self.words64(count)
        words &= np.uint64(_MASK53)
        out = words.view(np.int64).astype(np.float64)
        out *= 2.0**-53
        return out

    def state_bytes(self) -> bytes:
        """Return the state as torch stores it: 5056 bytes that continue this stream here and there."""
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
