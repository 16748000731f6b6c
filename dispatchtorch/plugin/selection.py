"""Which backend serves: argument, then context, then setter, then environment, then the default.

A backend is made once and kept; it leaves when its plugin is unregistered.
Must not know: tensors, ops, or any backend's peculiarities.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from dispatchtorch._base import config, switches
from dispatchtorch._base.errors import (
    BackendError,
    BackendLibraryMissingError,
    BackendLoadError,
    DeviceUnavailableError,
    DispatchTorchError,
    NoBackendError,
    PluginError,
)
from dispatchtorch._base.late import Late, traceback
from dispatchtorch.plugin.backend import Backend, BackendSpec
from dispatchtorch.plugin.manager import manager

if TYPE_CHECKING:
    from dispatchtorch.plugin import validation
else:
    validation = Late("dispatchtorch.plugin.validation")  # wanted when a backend is made

__all__ = [
    "DEFAULT",
    "backend_for_device",
    "default_backend",
    "expected_spec",
    "get_backend",
    "refresh",
    "set_backend",
    "use_backend",
]

DEFAULT: Final = "numpy"

_in_context: ContextVar[Backend | None] = ContextVar("dispatchtorch_backend", default=None)
_chosen: Backend | None = None  # by set_backend
_from_settings: Backend | None = None  # by the environment or the default, once needed
_made: dict[str, Backend] = {}
_lock: Final = threading.RLock()
_listening = False


def default_backend() -> Backend:
    """Returns the backend of new tensors in this context: context manager, setter, environment, default."""
    backend = _in_context.get() or _chosen or _from_settings
    return backend if backend is not None else _configured()


def _configured() -> Backend:
    global _from_settings
    with _lock:
        if _from_settings is None:
            wish = config.current().backend
            try:
                _from_settings = get_backend(",".join(wish) if wish else DEFAULT)
            except DispatchTorchError as error:
                if wish:
                    error.add_note(f"asked for by DISPATCHTORCH_BACKEND={','.join(wish)}")
                raise
        return _from_settings


def get_backend(name: str | Backend | None = None) -> Backend:
    """Returns the backend called ``name``, made at the first call; the default one for None.

    ``name`` may be an ordered list ("a,b": the first that loads) or "auto" (all installed, by their priority).
    Raises a BackendError that says what is missing and how to get it.
    """
    if name is None:
        return default_backend()
    if isinstance(name, Backend):
        return name
    found = _made.get(name)
    if found is not None:
        return found
    if name == "auto":
        return _first_that_loads(name, _by_priority())
    if "," in name:
        return _first_that_loads(name, [part.strip() for part in name.split(",") if part.strip()])
    with _lock:
        return _made.get(name) or _make(manager().spec(name))


def expected_spec() -> tuple[BackendSpec, bool]:
    """Returns the record of the backend that serves by default, and whether it has been made; makes none."""
    backend = _in_context.get() or _chosen or _from_settings
    if backend is not None:
        return manager().spec(backend.engine.name), True
    wish = [part.strip() for name in config.current().backend or (DEFAULT,) for part in name.split(",")]
    names = _by_priority() if wish == ["auto"] else wish
    specs = [manager().spec(name) for name in names]
    spec = next((spec for spec in specs if not validation.missing_modules(spec)), specs[0])
    return spec, spec.name in _made


def _make(spec: BackendSpec) -> Backend:
    _listen()
    missing = validation.missing_modules(spec)
    if missing:
        raise BackendLibraryMissingError(spec.name, missing, spec.install)
    try:
        backend = spec.instantiate()
    except BackendError:
        raise  # the backend's own sentence: no device, no driver
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        raise BackendLoadError(spec.name, spec.load, f"{type(error).__name__}: {error}", text) from error
    problem = validation.backend_problem(backend, spec)
    if problem is not None:
        raise BackendLoadError(spec.name, spec.load, problem)
    if switches.STATE.threads is not None:
        backend.set_threads(switches.STATE.threads)
    _made[spec.name] = backend
    return backend


def _by_priority() -> list[str]:
    """Returns the installed backends that have a record, the highest priority first."""
    specs = [spec for spec in manager().survey().values() if isinstance(spec, BackendSpec)]
    return [spec.name for spec in sorted(specs, key=lambda spec: (-spec.priority, spec.name))]


def _first_that_loads(wish: str, names: Iterable[str]) -> Backend:
    reasons: dict[str, str] = {}
    for name in names:
        try:
            return get_backend(name)
        except (BackendError, PluginError) as error:
            reasons[name] = _first_line(error)
    raise NoBackendError(wish, reasons)


def _first_line(error: DispatchTorchError) -> str:
    return str(error).partition("\n")[0]


@contextmanager
def use_backend(name: str | Backend) -> Iterator[Backend]:
    """Yields the backend that serves new tensors inside the ``with`` block, in this thread or task only."""
    backend = get_backend(name)
    token = _in_context.set(backend)
    try:
        yield backend
    finally:
        _in_context.reset(token)


def set_backend(name: str | Backend | None) -> None:
    """Sets the backend of new tensors for the process; None goes back to the environment's choice."""
    global _chosen
    _chosen = None if name is None else get_backend(name)


def backend_for_device(device_type: str) -> Backend:
    """Returns the selected backend if it serves the type of device, else the first installed one that does.

    Raises DeviceUnavailableError (an AssertionError with torch's sentence) where none does.
    """
    selected = default_backend()
    if device_type in selected.devices:
        return selected
    reasons: dict[str, str] = {selected.name: f"serves {', '.join(selected.devices)}"}
    for name in _by_priority():
        if name in reasons or device_type not in manager().spec(name).devices:
            continue
        try:
            backend = get_backend(name)
        except BackendError as error:
            reasons[name] = _first_line(error)
            continue
        if device_type in backend.devices:  # what it found here may be less than what its record hopes for
            return backend
        reasons[name] = f"serves {', '.join(backend.devices)} on this machine"
    raise DeviceUnavailableError(device_type, reasons)


def refresh() -> None:
    """Forgets the setter and reads the environment again; backends that were made stay."""
    global _chosen, _from_settings
    config.refresh()
    _chosen = _from_settings = None


def _listen() -> None:
    global _listening
    if not _listening:
        manager().on_change(_forget_unregistered)
        switches.when_threads_change(_tell_threads)
        _listening = True


def _tell_threads(count: int) -> None:
    for backend in _made.values():
        backend.set_threads(count)


def _forget_unregistered() -> None:
    global _chosen, _from_settings
    known = manager().backends()
    for name in [name for name in _made if name not in known]:
        gone = _made.pop(name)
        _chosen = None if _chosen is gone else _chosen
        _from_settings = None if _from_settings is gone else _from_settings
