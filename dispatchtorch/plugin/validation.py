"""The checks at the door: what a plugin and its backends must look like to be let in.

Must not know: who asks; nothing here changes anything.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import pluggy

from dispatchtorch._base.errors import PluginError
from dispatchtorch.plugin import hookspecs
from dispatchtorch.plugin.backend import Backend, BackendSpec

__all__ = ["backend_problem", "callable_answer", "check_hooks", "missing_modules", "specs"]

_PREFIX: Final = "dispatchtorch_"
_KNOWN: Final = tuple(sorted(name for name in vars(hookspecs) if name.startswith(_PREFIX)))
_BACKEND_NAME: Final = re.compile(r"^[a-z][a-z0-9_-]*$")
_LOAD: Final = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
_NATIVE: Final = ("strided", "flat", "address")
_LENS: Final = ("set_at",)


def check_hooks(collected: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Raises PluginError where a function looks like a hook and is none, or the plugin wants newer hooks."""
    version = getattr(plugin, "dispatchtorch_hook_version", hookspecs.HOOK_VERSION)
    if not isinstance(version, int) or version > hookspecs.HOOK_VERSION:
        raise PluginError(name, f"needs hook version {version}, this dispatchtorch has {hookspecs.HOOK_VERSION}")
    found = 0
    for attribute in dir(plugin):
        options = collected.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if attribute.startswith(_PREFIX) and inspect.isroutine(inspect.getattr_static(plugin, attribute)):
                _refuse_unmarked(name, attribute)
            continue
        if attribute not in _KNOWN:
            raise PluginError(name, f"unknown hook {attribute!r}{_nearest(attribute)}")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginError(
                name, f"{attribute} is a pluggy wrapper; kernels are wrapped by dispatchtorch_wrap_kernel"
            )
        found += 1
    if not found:
        raise PluginError(name, f"implements no hook; there are {', '.join(_KNOWN)}")


def _refuse_unmarked(name: str, attribute: str) -> None:
    if attribute in _KNOWN:
        raise PluginError(name, f"{attribute} lacks the @hookimpl marker (from dispatchtorch.plugin import hookimpl)")
    raise PluginError(name, f"unknown hook {attribute!r}{_nearest(attribute)}")


def _nearest(attribute: str) -> str:
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(attribute, _KNOWN, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_KNOWN)}"


def specs(plugin: str, answer: object) -> tuple[BackendSpec, ...]:
    """Returns the records in a plugin's answer to dispatchtorch_backends; PluginError where one is malformed."""
    if answer is None:
        return ()
    offered = (answer,) if isinstance(answer, BackendSpec) else answer
    if not isinstance(offered, (list, tuple)):
        raise PluginError(
            plugin, f"dispatchtorch_backends returned {_kind(answer)}, expected a BackendSpec or a list of them"
        )
    names: set[str] = set()
    for spec in offered:
        _check_spec(plugin, spec)
        if spec.name in names:
            raise PluginError(plugin, f"offers the backend name {spec.name!r} twice")
        names.add(spec.name)
    return tuple(offered)


def _check_spec(plugin: str, spec: object) -> None:
    if not isinstance(spec, BackendSpec):
        raise PluginError(plugin, f"dispatchtorch_backends returned {_kind(spec)} in its list, expected a BackendSpec")
    if not isinstance(spec.name, str) or not _BACKEND_NAME.match(spec.name) or spec.name == "auto":
        raise PluginError(
            plugin, f"BackendSpec.name {spec.name!r} is no backend name (lower-case letters, digits, _, -)"
        )
    for field in ("devices", "requires"):
        value = getattr(spec, field)
        if not isinstance(value, tuple) or not all(isinstance(item, str) and item for item in value):
            raise PluginError(plugin, f"BackendSpec({spec.name!r}).{field} must be a tuple of strings, got {value!r}")
    if not spec.devices:
        raise PluginError(plugin, f"BackendSpec({spec.name!r}).devices is empty: a backend serves at least one type")
    if not isinstance(spec.load, str) or not _LOAD.match(spec.load):
        raise PluginError(plugin, f"BackendSpec({spec.name!r}).load {spec.load!r} is not 'package.module:ClassName'")


def callable_answer(plugin: str, hook: str, answer: object) -> Callable[..., Any]:
    """Returns the answer if it can be called; PluginError naming the plugin and the hook otherwise."""
    if not callable(answer):
        raise PluginError(plugin, f"{hook} returned {_kind(answer)}, expected a callable or None")
    return cast(Callable[..., Any], answer)


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def missing_modules(spec: BackendSpec) -> tuple[str, ...]:
    """Returns the modules that a backend needs and that are not installed; imports none of them."""
    return tuple(name for name in spec.requires if not _is_installed(name.partition(".")[0]))


def _is_installed(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except ValueError:
        return True  # already imported, under a __spec__ of None


def backend_problem(backend: Backend, spec: BackendSpec) -> str | None:
    """Returns what is wrong with a new backend object, None if it keeps the contract's formal part."""
    if backend.name != spec.name:
        return f"its class calls itself {backend.name!r}, its record {spec.name!r}"
    needed: Sequence[str] = {"native": _NATIVE, "lens": _LENS}.get(backend.aliasing, ())
    if not needed:
        return f"aliasing is {backend.aliasing!r}, expected 'native' or 'lens'"
    absent = [method for method in needed if getattr(type(backend), method) is getattr(Backend, method)]
    if absent:
        return f"{backend.aliasing} aliasing needs {', '.join(absent)}, which its class does not implement"
    return None
