"""``torch.torch_version``: a version that is a string and compares as a version.

Must not know: which version this is.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

__all__ = ["TorchVersion"]

_PATTERN: Final = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<pre_n>\d*))?"
    r"(?:-(?P<post_short>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_n>\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_n>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE,
)
_STAGES: Final = {"alpha": 0, "a": 0, "beta": 1, "b": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_NEVER: Final = float("inf")


def _key(text: str) -> tuple[Any, ...] | None:
    """Returns what versions are ordered by (development, pre-release, release, post-release); None for no version."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and not release[-1]:
        release.pop()
    is_dev, is_post = match["dev"] is not None, match["post"] is not None or match["post_short"] is not None
    if match["pre"]:
        pre: tuple[float, ...] = (_STAGES[match["pre"].lower()], int(match["pre_n"] or 0))
    else:
        pre = (-1.0,) if is_dev and not is_post else (_NEVER,)
    post = int(match["post_short"] or match["post_n"] or 0) if is_post else -1
    dev = int(match["dev_n"] or 0) if is_dev else _NEVER
    parts = re.split(r"[-_.]", match["local"].lower()) if match["local"] else []
    local = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
    return int(match["epoch"] or 0), release, pre, post, dev, bool(parts), local


def _text(other: Any) -> str:
    if isinstance(other, Iterable) and not isinstance(other, str):
        return ".".join(str(part) for part in other)
    return str(other)


class TorchVersion(str):
    """A string that compares as a version with strings, with tuples of numbers and with objects that print as versions.

    >>> TorchVersion("2.13.0+cpu") > (2, 9), TorchVersion("2.13.0a0") < "2.13"
    (True, True)
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return str.__hash__(self)

    def _compare(self, other: Any, operation: Callable[[Any, Any], bool]) -> Any:
        mine, theirs = _key(self), _key(_text(other))
        if mine is not None and theirs is not None:
            return operation(mine, theirs)
        return operation(str(self), other) if isinstance(other, str) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, operator.gt)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, operator.lt)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, operator.eq)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, operator.ge)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, operator.le)
