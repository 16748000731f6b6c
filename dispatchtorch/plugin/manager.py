"""The plugins of this process: registered, validated, asked; one typed method for each hook.

Everything is checked at the door (`register`), so that a hook's answer can be trusted afterwards. A backend's manifest
is imported when that backend is asked for; one that is broken keeps its traceback and harms nobody else.
Must not know: tensors, ops, plans. Whoever keeps answers listens with `on_change` and forgets them.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch._base import config
from dispatchtorch._base.errors import (
    BackendDisabledError,
    BackendError,
    BackendLoadError,
    DuplicateBackendError,
    PluginError,
    PluginLoadError,
    UnknownBackendError,
)
from dispatchtorch._base.late import Late, pluggy, traceback
from dispatchtorch.plugin.backend import BackendSpec, Kernel
from dispatchtorch.plugin.discovery import Candidate, find

if TYPE_CHECKING:
    from dispatchtorch.plugin import hookspecs, validation
else:
    validation = Late("dispatchtorch.plugin.validation")  # wanted when the first plugin comes; it needs pluggy

__all__ = ["PluginManager", "manager", "on_change"]


class PluginManager:
    """Plugins and what they offer; ``candidates`` stand in for what is installed, ``disabled`` names are left out."""

    def __init__(
        self, candidates: Mapping[str, Sequence[Candidate]] | None = None, disabled: frozenset[str] = frozenset()
    ) -> None:
        self.disabled = disabled
        self._candidates = candidates
        hooks = importlib.import_module("dispatchtorch.plugin.hookspecs")
        self._pluggy = pluggy.PluginManager(hooks.PROJECT)
        self._pluggy.add_hookspecs(hooks)
        self._sources: dict[str, str] = {}  # plugin name -> where it comes from, in order of registration
        self._specs: dict[str, tuple[str, BackendSpec]] = {}  # backend name -> plugin name, record
        self._broken: dict[str, BackendLoadError] = {}
        self._listeners: list[Callable[[], None]] = []
        self._register_op: Callable[..., Any] | None = None
        self._lock = threading.RLock()

    # --- registration ------------------------------------------------------------------------------------------------
    def register(self, plugin: object, name: str | None = None, source: str = "") -> str:
        """Returns the name under which the plugin is now registered.

        Raises PluginError for an unknown or ill-formed hook or a bad record, DuplicateBackendError for a backend name
        that is taken; then nothing has changed.
        """
        with self._lock:
            name = name or str(self._pluggy.get_canonical_name(plugin))
            if self._pluggy.has_plugin(name) or self._pluggy.is_registered(plugin):
                raise PluginError(name, "is already registered")
            validation.check_hooks(self._pluggy, plugin, name)
            try:
                self._pluggy.register(plugin, name)
                self._sources[name] = source
                specs = self._offered(name, getattr(plugin, "__name__", name))
                if self._register_op is not None:
                    self._ask(name, "dispatchtorch_ops", register=self._register_op)
            except BaseException as error:
                self._sources.pop(name, None)
                if self._pluggy.has_plugin(name):
                    self._pluggy.unregister(name=name)
                if isinstance(error, pluggy.PluginValidationError):
                    raise PluginError(name, str(error).strip().splitlines()[-1]) from error
                raise
            self._specs.update({spec.name: (name, spec) for spec in specs})
            for spec in specs:
                self._broken.pop(spec.name, None)
            self._changed()
        return name

    def unregister(self, plugin: object) -> object:
        """Returns the plugin, given itself or by its name, that is no longer registered; PluginError if it was not."""
        with self._lock:
            name = plugin if isinstance(plugin, str) else self._pluggy.get_name(plugin)
            if name is None or not self._pluggy.has_plugin(name):
                raise PluginError(str(name or plugin), "is not registered")
            gone = self._pluggy.unregister(name=name)
            del self._sources[name]
            self._specs = {key: value for key, value in self._specs.items() if value[0] != name}
            self._changed()
        return gone

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Returns a function that takes ``callback`` off again; until then it runs after every (un)registration."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _changed(self) -> None:
        for callback in (*_everywhere, *self._listeners):
            callback()

    def plugins(self) -> dict[str, str]:
        """Returns the registered plugins' names with their sources, in the order of registration."""
        return dict(self._sources)

    def _culprit(self, name: str) -> str:
        source = self._sources.get(name)
        return f"plugin {name!r} ({source})" if source else f"plugin {name!r}"

    def _offered(self, name: str, module: str) -> tuple[BackendSpec, ...]:
        """Returns the checked records of a plugin; DuplicateBackendError where a name is taken or installed twice."""
        answers = [answer for _, answer in self._answers("dispatchtorch_backends", only=name)]
        specs = validation.specs(name, answers[0] if answers else ())
        for spec in specs:
            if spec.name in self._specs:
                raise DuplicateBackendError(spec.name, self._culprit(self._specs[spec.name][0]), self._culprit(name))
            for rival in self._found().get(spec.name, ()):
                if rival.module not in (name, module):
                    raise DuplicateBackendError(spec.name, str(rival), self._culprit(name))
        return specs

    # --- asking ------------------------------------------------------------------------------------------------------
    def _answers(self, hook: str, only: str | None = None, **facts: Any) -> Iterator[tuple[str, Any]]:
        """Yields plugin names with their answers, in the order of registration.

        pluggy collects and checks; the call is ours, because each answer must be known by its author.
        """
        impls = self._impls(hook)
        for name in tuple(self._sources) if only is None else (only,):
            if name in impls:
                yield name, self._call(name, hook, impls[name], facts)

    def _impls(self, hook: str) -> dict[str, pluggy.HookImpl]:
        return {impl.plugin_name: impl for impl in getattr(self._pluggy.hook, hook).get_hookimpls()}

    @staticmethod
    def _call(name: str, hook: str, impl: pluggy.HookImpl, facts: Mapping[str, Any]) -> Any:
        try:
            return impl.function(*(facts[argument] for argument in impl.argnames))
        except Exception as error:
            error.add_note(f"dispatchtorch: raised by plugin {name!r} in its hook {hook}")
            raise

    def _ask(self, name: str, hook: str, **facts: Any) -> None:
        for _ in self._answers(hook, only=name, **facts):
            pass

    def _first(self, hook: str, **facts: Any) -> tuple[str, Callable[..., Any]] | None:
        """Returns the plugin registered last that answers, with its answer."""
        impls = self._impls(hook)
        for name in reversed(tuple(self._sources)):
            if name not in impls:
                continue
            answer = self._call(name, hook, impls[name], facts)
            if answer is not None:
                return name, validation.callable_answer(name, hook, answer)
        return None

    # --- one method for each hook ------------------------------------------------------------------------------------
    def backends(self) -> dict[str, BackendSpec]:
        """Returns the records of the backends whose plugins are registered; imports nothing."""
        return {name: spec for name, (_, spec) in self._specs.items() if name not in self.disabled}

    def ops(self, register: Callable[..., Any]) -> None:
        """Lets every plugin declare its ops through ``register``; plugins registered later do so at once."""
        with self._lock:
            self._register_op = register
            for _ in self._answers("dispatchtorch_ops", register=register):
                pass

    def kernel_override(self, op: str, backend: str) -> Kernel | None:
        """Returns the kernel that a plugin puts in place of any other, None where none does."""
        found = self._first("dispatchtorch_kernel", op=op, backend=backend)
        return None if found is None else found[1]

    def overriding_plugin(self, op: str, backend: str) -> str | None:
        """Returns the name of the plugin whose kernel `kernel_override` returns, for `explain`."""
        found = self._first("dispatchtorch_kernel", op=op, backend=backend)
        return None if found is None else found[0]

    def wrap_kernel(self, op: str, backend: str, kernel: Kernel) -> tuple[Kernel, list[str]]:
        """Returns the kernel with every plugin's wrapper around it, and the names of those that wrapped."""
        wrapped_by: list[str] = []
        hook = "dispatchtorch_wrap_kernel"
        impls = self._impls(hook)
        for name in tuple(self._sources):
            if name not in impls:
                continue
            answer = self._call(name, hook, impls[name], {"op": op, "backend": backend, "kernel": kernel})
            if answer is not None and answer is not kernel:
                kernel = validation.callable_answer(name, hook, answer)
                wrapped_by.append(name)
        return kernel, wrapped_by

    def compile(self, fn: Callable[..., Any], backend: str) -> Callable[..., Any] | None:
        """Returns ``fn`` compiled for the backend by the first plugin that can, None where none can."""
        found = self._first("dispatchtorch_compile", fn=fn, backend=backend)
        return None if found is None else found[1]

    def cli(self, commands: hookspecs.Commands) -> None:
        """Lets every plugin add its sub-commands."""
        for _ in self._answers("dispatchtorch_cli", commands=commands):
            pass

    # --- what is installed -------------------------------------------------------------------------------------------
    def installed(self) -> dict[str, tuple[Candidate, ...]]:
        """Returns the names of installed and registered backends with where they come from; imports nothing."""
        found = dict(self._found())
        for name, (plugin, _) in self._specs.items():
            if name not in found:
                found[name] = (Candidate(name, plugin, self._sources[plugin] or "registered"),)
        return {name: tuple(found[name]) for name in sorted(found) if name not in self.disabled}

    def _found(self) -> Mapping[str, Sequence[Candidate]]:
        """Returns what is installed and not disabled, by backend name; the disk is read once."""
        if self._candidates is None:
            self._candidates = find()
        kept = {name: [c for c in offers if c.module not in self.disabled] for name, offers in self._candidates.items()}
        return {name: offers for name, offers in kept.items() if offers and name not in self.disabled}

    def rescan(self) -> None:
        """Forgets what was found installed and what was broken; the next question looks again."""
        with self._lock:
            self._candidates = None
            self._broken.clear()

    def spec(self, name: str) -> BackendSpec:
        """Returns the record of the backend called ``name``; imports its manifest the first time.

        Raises BackendDisabledError, UnknownBackendError, BackendLoadError (the manifest is broken; with its
        traceback), DuplicateBackendError.
        """
        if name in self.disabled:
            raise BackendDisabledError(name)
        with self._lock:
            if name in self._specs:
                return self._specs[name][1]
            offers = self._found().get(name, ())
            if not offers:
                raise self.unknown(name)
            if len(offers) > 1:
                raise DuplicateBackendError(name, str(offers[0]), str(offers[1]))
            if name not in self._broken:
                self._load(offers[0])
            if name in self._broken:
                raise self._broken[name].with_traceback(None)
            return self._specs[name][1]

    def _load(self, candidate: Candidate) -> None:
        """Imports and registers a manifest; what goes wrong is kept in ``_broken``."""
        problem: BaseException | None = None
        try:
            module = importlib.import_module(candidate.module)
            if not self._pluggy.has_plugin(candidate.module):
                self.register(module, candidate.module, candidate.source)
            if candidate.name not in self._specs:
                raise PluginError(candidate.module, f"offers no backend called {candidate.name!r}")
        except DuplicateBackendError:
            raise
        except (Exception, SystemExit) as error:
            problem = error
        if problem is not None:
            text = "".join(traceback.format_exception(problem))
            said = f"{type(problem).__name__}: {problem}"
            broken = BackendLoadError(candidate.name, str(candidate), said, text)
            broken.__cause__ = problem
            self._broken[candidate.name] = broken

    def survey(self) -> dict[str, BackendSpec | BackendError | PluginError]:
        """Returns every installed backend's record, or the error that asking for it raises; imports all manifests."""
        answers: dict[str, BackendSpec | BackendError | PluginError] = {}
        for name in self.installed():
            try:
                answers[name] = self.spec(name)
            except (BackendError, PluginError) as error:
                answers[name] = error
        return answers

    def unknown(self, name: str) -> UnknownBackendError:
        """Returns the error for a name that nobody offers: what is installed, and the command for the rest."""
        ready: list[str] = []
        installable: dict[str, str] = {}
        for other, answer in self.survey().items():
            if not isinstance(answer, BackendSpec):
                continue
            if validation.missing_modules(answer):
                installable[other] = answer.install or "(its plugin gives no command)"
            else:
                ready.append(other)
        return UnknownBackendError(name, ready, installable)


_everywhere: Final[list[Callable[[], None]]] = []  # listens to every manager, also to those that come later
_manager: PluginManager | None = None
_building = threading.Lock()


def on_change(callback: Callable[[], None]) -> None:
    """Runs ``callback`` after every (un)registration with any manager; builds none for that."""
    _everywhere.append(callback)


def when_plugins_change(callback: Callable[[], None]) -> None:
    """Has ``callback`` run whenever a plugin comes or goes, in any manager; does not build one."""
    _everywhere.append(callback)


def manager() -> PluginManager:
    """Returns the process's plugin manager, built at the first call; PluginLoadError if DISPATCHTORCH_PLUGINS fails."""
    global _manager
    if _manager is None:
        with _building:
            if _manager is None:
                _manager = _from_environment()
    return _manager


def _from_environment() -> PluginManager:
    settings = config.current()
    made = PluginManager(disabled=settings.disable)
    for module in settings.plugins:
        if module in settings.disable:
            continue
        try:
            made.register(importlib.import_module(module), module, "DISPATCHTORCH_PLUGINS")
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise PluginLoadError(module, said, "".join(traceback.format_exception(error))) from error
    return made
