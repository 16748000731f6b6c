"""Code for functions that stay the same objects but do something else: they hand their arguments to an object.

Must not know: why a call is handed over, tensors.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Body", "calling"]

Body = tuple[types.CodeType, Any, Any]  # code, defaults, defaults of keyword-only arguments
_PLACE: Final = "the guard comes here"
_templates: Final[dict[int, types.CodeType]] = {}


def _template(free: int) -> types.CodeType:
    """Returns the code ``return guard(args, kwargs)`` of a function with so many variables of an outer one."""
    known = _templates.get(free)
    if known is None:
        names = [f"v{i}" for i in range(free)]
        lines = ["def outer():", *[f"    {n} = None" for n in names], "    def asking(*args, **kwargs):"]
        if names:
            lines.append(f"        if 0: {', '.join(names)}")
        lines += [f"        return {_PLACE!r}(args, kwargs)", "    return asking"]
        space: dict[str, Any] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # calling a string: it is exchanged before it runs
            exec("\n".join(lines), space)
        known = _templates[free] = space["outer"]().__code__
    return known


def calling(handler: Callable[..., Any], function: types.FunctionType) -> types.CodeType:
    """Returns code for a function that calls ``handler(args, kwargs)`` in the place of what the function does."""
    template = _template(len(function.__code__.co_freevars))
    consts = tuple(handler if c == _PLACE else c for c in template.co_consts)
    return template.replace(co_consts=consts, co_name=function.__code__.co_name)
