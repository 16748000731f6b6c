"""Words that were drawn ahead, and what was made of them ahead: many short draws are cheaper made at once.

It knows words and positions. It must not know distributions, and how words are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Place = tuple[int, NDArray[np.uint32], int]  # from this word on: a twister's state, and steps from there
    Rows = tuple[int, int, NDArray[Any]]  # first word, words a row, and a result in each row

__all__ = ["EMPTY", "Block"]


class Block:
    """Words in the order of the stream; those before ``at`` are given out.

    What is made of words ahead is kept by the distribution: ``uniforms`` beside each word, ``normals`` beside each for
    blocks of sixteen that begin at its place modulo 16, ``rows`` by name and size: whole results of calls to come.
    Threads: `claim` and `rest` read and set ``at`` with no call between the two, which Python does not interrupt.
    """

    __slots__ = ("_places", "at", "end", "last", "normals", "rows", "uniforms", "words")

    def __init__(self, words: Any, places: list[Place]) -> None:
        self.words = words
        self._places = places
        self.at = 0
        self.end = 0 if words is None else int(words.size)
        self.last: tuple[str, int, int] | None = None  # which draw came last, of which size, and where it ended
        self.uniforms: NDArray[np.float32] | None = None
        self.normals: list[NDArray[np.float32] | None] = [None] * 16
        self.rows: dict[tuple[str, int], Rows] = {}

    def followed(self, words: Any, places: list[Place]) -> Block:
        """Return the block that comes next: of these words, the first of which were this one's rest."""
        block = Block(words, places)
        if self.last is not None:
            name, size, end = self.last
            ended = self.end - places[-1][0]
            start, step, _ = self.rows.get((name, size), (end, 0, None))
            same = end == ended or (step > 0 and (ended - start) % step == 0)
            if same or (name == "normal" and self.normals[ended % 16] is not None):
                block.last = (name, size, 0)
        return block

    def claim(self, count: int) -> int:
        """Return where the next ``count`` words begin, which are the caller's from now on; -1 if there are fewer."""
        at = self.at
        end = at + count
        if end > self.end:
            return -1
        self.at = end
        return at

    def take(self, count: int) -> Any:
        """Return the next ``count`` words, or those that are left; None where there are none."""
        at = self.at
        end = at + count
        if end > self.end:
            end = self.end
        self.at = end
        return None if at == end else self.words[at:end]

    def rest(self) -> tuple[list[Place], Any]:
        """Return all words that are left, None where there are none, and by which states they can be drawn again."""
        at = self.at
        self.at = self.end
        places: list[Place] = []
        for begin, state, steps in self._places if at < self.end else ():
            if begin <= at:
                places = [(0, state, steps + at - begin)]
            else:
                places.append((begin - at, state, steps))
        return places, self.words[at:] if places else None

    def repeats(self, name: str, size: int, at: int, count: int) -> bool:
        """Return whether a draw that begins at ``at`` is the last one again; notes it as the last one."""
        before, self.last = self.last, (name, size, at + count)
        return before == (name, size, at)

    def row(self, name: str, size: int, at: int) -> Any:
        """Return the result that was made ahead for a draw that begins at ``at``; None if there is none."""
        found = self.rows.get((name, size))
        if found is not None:
            start, step, rows = found
            turn, beside = divmod(at - start, step)
            if not beside and turn < len(rows):
                return rows[turn]
        return None


EMPTY: Final = Block(None, [])
