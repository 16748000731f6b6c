"""Mistakes, each with a class that builds its sentence from facts; wording lives here and nowhere else.

What torch also raises keeps torch's exception type (by inheritance) and torch's sentence.
Must not know: tensors, ops, plugins as objects; facts arrive as strings and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "AcceleratorError",
    "BackendDisabledError",
    "BackendError",
    "BackendLibraryMissingError",
    "BackendLoadError",
    "BackendUnavailableError",
    "ConfigError",
    "DeviceUnavailableError",
    "DispatchTorchError",
    "DuplicateBackendError",
    "NoBackendError",
    "OutOfMemoryError",
    "PluginError",
    "PluginLoadError",
    "UnknownBackendError",
]


class DispatchTorchError(Exception):
    """Whatever has no counterpart in torch: configuration, plugins, backends."""


# --- configuration ---------------------------------------------------------------------------------------------------
class ConfigError(DispatchTorchError, ValueError):
    """An environment variable holds something it cannot mean."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        self.variable, self.value, self.expected = variable, value, expected
        super().__init__(f"{variable}={value!r} is not understood: expected {expected}")


# --- plugins ---------------------------------------------------------------------------------------------------------
class PluginError(DispatchTorchError, ValueError):
    """A plugin breaks the rules of the hooks; it is refused at registration, or its answer is."""

    def __init__(self, plugin: str, problem: str) -> None:
        self.plugin, self.problem = plugin, problem
        super().__init__(f"plugin {plugin!r}: {problem}")


class DuplicateBackendError(PluginError):
    """Two plugins offer one backend name; neither is preferred silently."""

    def __init__(self, name: str, first: str, second: str) -> None:
        self.name, self.first, self.second = name, first, second
        super().__init__(
            second,
            f"the backend name {name!r} is offered twice: by {first} and by {second}; uninstall one, "
            "or name its module in DISPATCHTORCH_DISABLE",
        )


class PluginLoadError(DispatchTorchError, ImportError):
    """A plugin that DISPATCHTORCH_PLUGINS asks for fails to load; the original is the ``__cause__``."""

    def __init__(self, module: str, problem: str, traceback: str) -> None:
        self.module, self.problem, self.traceback = module, problem, traceback
        super().__init__(f"DISPATCHTORCH_PLUGINS names {module!r}, which failed to load: {problem}")


# --- backends --------------------------------------------------------------------------------------------------------
class BackendError(DispatchTorchError, RuntimeError):
    """A backend that was asked for cannot be had."""


class BackendUnavailableError(BackendError):
    """A backend's library, driver or hardware is missing here; backends raise it with their own sentence."""


class BackendLibraryMissingError(BackendUnavailableError):
    """The plugin is installed, the array library under it is not."""

    def __init__(self, name: str, missing: Sequence[str], install: str) -> None:
        self.name, self.missing, self.install = name, tuple(missing), install
        modules = " and ".join(repr(m) for m in missing)
        verb = "is" if len(missing) == 1 else "are"
        hint = f"; install with: {install}" if install else ""
        super().__init__(f"backend {name!r} needs {modules}, which {verb} not installed{hint}")


class BackendLoadError(BackendError):
    """A backend's plugin or library failed to load; the original is the ``__cause__``, its text in ``traceback``."""

    def __init__(self, name: str, source: str, problem: str, traceback: str = "") -> None:
        self.name, self.source, self.problem, self.traceback = name, source, problem, traceback
        super().__init__(f"backend {name!r} ({source}) failed to load: {problem}")


class BackendDisabledError(BackendError):
    """The user switched a backend off."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"backend {name!r} is disabled by DISPATCHTORCH_DISABLE")


class UnknownBackendError(BackendError):
    """No plugin offers a backend of this name."""

    def __init__(self, name: str, ready: Sequence[str], installable: Mapping[str, str]) -> None:
        self.name, self.ready, self.installable = name, tuple(ready), dict(installable)
        lines = [f"unknown backend {name!r}; installed: {', '.join(ready) or 'none'}"]
        from difflib import get_close_matches  # only a mistake pays for it

        near = get_close_matches(name, [*ready, *installable], n=1)
        if near:
            lines[0] += f" (did you mean {near[0]!r}?)"
        lines += [f"  {other} is not ready; install with: {command}" for other, command in installable.items()]
        super().__init__("\n".join(lines))


class NoBackendError(BackendError):
    """None of an ordered list of backends loads."""

    def __init__(self, wish: str, reasons: Mapping[str, str]) -> None:
        self.wish, self.reasons = wish, dict(reasons)
        lines = [f"no backend of {wish!r} can be used:"]
        lines += [f"  {name}: {reason}" for name, reason in reasons.items()]
        super().__init__("\n".join(lines))


class DeviceUnavailableError(BackendError, AssertionError):
    """No backend serves this type of device; torch raises AssertionError, with this sentence.

    What each backend said is in ``reasons`` and in the notes under the traceback.
    """

    def __init__(self, device_type: str, reasons: Mapping[str, str]) -> None:
        self.device_type, self.reasons = device_type, dict(reasons)
        super().__init__(f"Torch not compiled with {device_type.upper()} enabled")
        self.add_note(f"dispatchtorch: no usable backend serves the device type {device_type!r}")
        for name, reason in reasons.items():
            self.add_note(f"  {name}: {reason}")


class AcceleratorError(RuntimeError):
    """A device failed: torch's ``torch.AcceleratorError``, for programs that catch it."""


class OutOfMemoryError(RuntimeError):
    """A device has no memory left: torch's ``torch.OutOfMemoryError``, for programs that catch it."""
