"""Settings of the process that torch has setters for: determinism, threads, precision of products, warnings.

They are kept and told, and where nothing here depends on one its docstring says so. Must not know who asks.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, Final, Literal

from dispatchtorch._base import config

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
    "when_threads_change",
]

Precision = Literal["highest", "high", "medium"]


class _State:
    deterministic: bool = False
    warn_only: bool = False
    fill_uninitialized_memory: bool = True
    threads: int | None = None
    interop_threads: int | None = None
    precision: str = "highest"
    warn_always: bool = False


STATE: Final = _State()


def use_deterministic_algorithms(mode: Any, *, warn_only: Any = False) -> None:
    """Sets whether only deterministic algorithms may run. All of ours are, so nothing else changes."""
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, bool):
            position = " (position 1)" if name == "mode" else ""
            raise TypeError(
                f"_set_deterministic_algorithms(): argument '{name}'{position} must be bool, not {type(value).__name__}"
            )
    STATE.deterministic, STATE.warn_only = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """Returns what `use_deterministic_algorithms` has set."""
    return STATE.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Returns whether `use_deterministic_algorithms` was told to warn only."""
    return STATE.warn_only


_MODES: Final = {"default": 0, "warn": 1, "error": 2}


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Sets determinism by a word or a number: "default" or 0, "warn" or 1, "error" or 2."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _MODES:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = _MODES[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """Returns 0 where any algorithm may run, 1 where others are warned of, 2 where they are refused."""
    return (1 if STATE.warn_only else 2) if STATE.deterministic else 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuntimeError(f"{name} expects an int, but got {type(value).__name__}")
    if value < 1:
        raise RuntimeError(f"{name} expects a positive integer")
    return value


_listeners: Final[list[Callable[[int], None]]] = []


def when_threads_change(callback: Callable[[int], None]) -> None:
    """Calls ``callback`` with the number whenever another one is set."""
    _listeners.append(callback)


def set_num_threads(int: int) -> None:
    """Sets how many threads a call may use; backends' libraries are told, those loaded later too.

    NumPy's products heed it where threadpoolctl is installed (extra ``threads``), its other calls run in the thread
    that makes them. JAX decides when it starts.
    """
    STATE.threads = _threads("set_num_threads", int)
    for callback in _listeners:
        callback(STATE.threads)


def get_num_threads() -> int:
    """Returns the number set, or what ``OMP_NUM_THREADS`` allows, or the number of cores this process may use."""
    return STATE.threads or config.threads() or _cores()


def set_num_interop_threads(int: int) -> None:
    """Keeps the number that `get_num_interop_threads` tells; RuntimeError the second time, as in torch."""
    value = _threads("set_num_interop_threads", int)
    if STATE.interop_threads is not None:
        raise RuntimeError(
            "Error: cannot set number of interop threads after parallel work has started or set_num_interop_threads "
            "called"
        )
    STATE.interop_threads = value


def get_num_interop_threads() -> int:
    """Returns the number set, or that of the cores this process may use."""
    return STATE.interop_threads or _cores()


def set_float32_matmul_precision(precision: str) -> None:
    """Keeps one of "highest", "high", "medium"; products are computed in float32 with each. Warns of another word."""
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current"
            "setFloat32MatmulPrecision call has no effect.",
            UserWarning,
            stacklevel=2,
        )
        return
    STATE.precision = precision


def get_float32_matmul_precision() -> str:
    """Returns what `set_float32_matmul_precision` has set, "highest" at first."""
    return STATE.precision


def set_flush_denormal(mode: bool) -> bool:
    """Returns False for True: tiny numbers are kept, the processor's mode is left alone. True for False."""
    if not isinstance(mode, bool):
        raise RuntimeError(f"flush_denormal expects a bool, but got {type(mode).__name__}")
    return not mode


def set_warn_always(b: bool, /) -> None:
    """Keeps whether warnings that are said once are to be said each time."""
    if not isinstance(b, bool):
        raise RuntimeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    STATE.warn_always = b


def is_warn_always_enabled() -> bool:
    """Returns what `set_warn_always` has set."""
    return STATE.warn_always
