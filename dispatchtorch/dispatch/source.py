"""Functions from source that is put together for one purpose: compiled once for equal text, shown in tracebacks.

Must not know what the source does.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["written"]

_compiled: Final[dict[str, Callable[..., Any]]] = {}


def written(source: str, name: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Returns the function ``make`` that the source defines, which may name what is in ``names``.

    ``names["__name__"]`` is the module that warnings and profilers see; equal sources have equal names.
    """
    made = _compiled.get(source)
    if made is None:
        file = f"<{names['__name__']}: {name} {len(_compiled)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        space: dict[str, Any] = {}
        exec(compile(source, file, "exec"), dict(names), space)
        made = _compiled[source] = space["make"]
    return made
