"""Anomaly mode's switches: backward errors name the forward call, and nans count as errors.

Plans are built for the mode's being on or off, so that switching empties them. Must not know the engine.
"""

from __future__ import annotations

import warnings

from dispatchtorch.dispatch.modes import anomaly
from dispatchtorch.dispatch.table import forget_plans

__all__ = [
    "detect_anomaly",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "set_anomaly_enabled",
    "set_detect_anomaly",
]


def _set_anomaly(mode: bool, check_nan: bool) -> None:
    if anomaly.on is not mode:
        anomaly.on = mode
        forget_plans()  # the hot plans do not ask: they are built for one mode or the other
    anomaly.check_nan = check_nan


class set_detect_anomaly:
    """Turns anomaly mode on or off: backward errors and nans name the forward call that made the node."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (anomaly.on, anomaly.check_nan)
        _set_anomaly(mode, check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        _set_anomaly(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode for a block; slow, for finding errors only."""

    def __init__(self, check_nan: bool = True) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )
        super().__init__(True, check_nan)


def is_anomaly_enabled() -> bool:
    """Returns whether anomaly mode is on."""
    return anomaly.on


def is_anomaly_check_nan_enabled() -> bool:
    """Returns whether anomaly mode looks for nans."""
    return anomaly.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turns anomaly mode on or off for this thread."""
    _set_anomaly(mode, check_nan)
