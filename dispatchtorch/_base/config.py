"""Configuration from the environment: the only reader of ``os.environ``.

A value that cannot be meant is an error naming the variable; nothing is true merely because it is set.
Must not know: which backends or plugins exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from dispatchtorch._base.errors import ConfigError

__all__ = [
    "Config",
    "Fallback",
    "cache_home",
    "current",
    "flag",
    "launched",
    "read",
    "refresh",
    "suggest",
    "unknown_variables",
    "variables",
]

Fallback: TypeAlias = Literal["error", "warn", "allow"]

PREFIX: Final = "DISPATCHTORCH_"
KNOWN: Final = {
    "DISPATCHTORCH_BACKEND": "the backend of new tensors: a name, an ordered list (first that loads), or auto",
    "DISPATCHTORCH_FALLBACK": "what to do when a backend lacks an op: error (default), warn or allow host fallback",
    "DISPATCHTORCH_PLUGINS": "dotted names of modules to load as plugins, separated by commas",
    "DISPATCHTORCH_DISABLE": "names of backends and plugins to leave out, separated by commas",
    "DISPATCHTORCH_KEEP_MEMORY": "0 makes the C library give freed memory back at once, for backends on the CPU",
}
_FALLBACKS: Final = ("error", "warn", "allow")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"", "0", "false", "no", "off"})
_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_DOTTED: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")
_DOTTED_OR_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")


class Config(NamedTuple):
    """What the environment says."""

    backend: tuple[str, ...] = ()  # empty: not set
    fallback: Fallback = "error"
    plugins: tuple[str, ...] = ()
    disable: frozenset[str] = frozenset()


def read(environ: Mapping[str, str] | None = None) -> Config:
    """Returns the configuration in ``environ`` (the process's own if None); ConfigError for a value without meaning.

    >>> read({"DISPATCHTORCH_BACKEND": "one, two"}).backend
    ('one', 'two')
    """
    env = os.environ if environ is None else environ
    fallback = env.get("DISPATCHTORCH_FALLBACK", "").strip().lower() or "error"
    if fallback not in _FALLBACKS:
        raise ConfigError("DISPATCHTORCH_FALLBACK", env["DISPATCHTORCH_FALLBACK"], "one of error, warn, allow")
    return Config(
        backend=_names(env, "DISPATCHTORCH_BACKEND", _NAME, "a backend's name, a list of names with commas, or auto"),
        fallback=cast(Fallback, fallback),
        plugins=_names(env, "DISPATCHTORCH_PLUGINS", _DOTTED, "dotted names of modules, separated by commas"),
        disable=frozenset(
            _names(env, "DISPATCHTORCH_DISABLE", _DOTTED_OR_NAME, "names of backends or plugins, separated by commas")
        ),
    )


def _names(env: Mapping[str, str], variable: str, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
    value = env.get(variable, "")
    found = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    for name in found:
        # A switch where names are expected ("0", "true") is a misunderstanding, not a plugin called "true".
        if pattern.match(name) is None or name.lower() in _TRUE | _FALSE:
            raise ConfigError(variable, value, expected)
    if "auto" in found and (len(found) > 1 or variable != "DISPATCHTORCH_BACKEND"):
        raise ConfigError(variable, value, expected)
    return found


def flag(variable: str, default: bool = False, environ: Mapping[str, str] | None = None) -> bool:
    """Returns a yes-or-no variable's meaning, ``default`` where it is not set; ConfigError for any other word.

    >>> flag("DISPATCHTORCH_X", default=True, environ={"DISPATCHTORCH_X": "0"})
    False
    """
    env = os.environ if environ is None else environ
    value = env.get(variable)
    if value is None:
        return default
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ConfigError(variable, value, "one of 1, true, yes, on, 0, false, no, off")


def threads(environ: Mapping[str, str] | None = None) -> int | None:
    """Returns how many threads ``OMP_NUM_THREADS`` or ``MKL_NUM_THREADS`` allow; None where they say nothing.

    They are other libraries' variables, so what makes no sense is passed over.

    >>> threads({"OMP_NUM_THREADS": "4,2"})
    4
    """
    env = os.environ if environ is None else environ
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        first = env.get(variable, "").partition(",")[0].strip()
        if first.isdecimal() and int(first) > 0:
            return int(first)
    return None


def cache_home(environ: Mapping[str, str] | None = None) -> str:
    """Returns torch's folder of the user's cache: ``TORCH_HOME``, or ``torch`` in ``XDG_CACHE_HOME`` or ``~/.cache``.

    >>> cache_home({"TORCH_HOME": "/somewhere"})
    '/somewhere'
    """
    env = os.environ if environ is None else environ
    default = os.path.join(env.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return os.path.expanduser(env.get("TORCH_HOME") or default)


def launched(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Returns what a launcher of several processes says: ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR`` and the like.

    >>> launched("RANK", {"RANK": "1"})
    '1'
    """
    env = os.environ if environ is None else environ
    return env.get(name) or None


def suggest(name: str, value: str) -> None:
    """Sets a variable that a library reads in its own code, where the program has not set it."""
    os.environ.setdefault(name, value)


_current: Config | None = None


def current() -> Config:
    """Returns the process's configuration, read once; `refresh` reads it again."""
    global _current
    if _current is None:
        _current = read()
    return _current


def refresh() -> Config:
    """Returns the configuration as the environment says now, and keeps it."""
    global _current
    _current = None
    return current()


def variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the variables with our prefix that are set, sorted by name."""
    env = os.environ if environ is None else environ
    return {name: env[name] for name in sorted(env) if name.startswith(PREFIX)}


def unknown_variables(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Returns set variables with our prefix that nothing in the core reads: most likely misspelt."""
    return tuple(name for name in variables(environ) if name not in KNOWN)
