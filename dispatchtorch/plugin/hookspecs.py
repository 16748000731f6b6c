"""The hooks: every question that dispatchtorch asks its plugins, with types and versions.

Hooks decide once per (op, backend), at first use; the answer is kept until a plugin comes or goes, so a hook costs
nothing per call. `dispatchtorch.plugin.manager.PluginManager` has one typed method for each.
Must not know: who implements them.

A plugin is any object, most often a module, whose functions carry ``@hookimpl``. It may state the version it was
written for, ``dispatchtorch_hook_version = 1``, and is refused by a dispatchtorch that is older than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import pluggy

from dispatchtorch.plugin.backend import BackendSpec, Kernel

if TYPE_CHECKING:  # only the program parses arguments
    from argparse import ArgumentParser, Namespace

__all__ = ["HOOK_VERSION", "PROJECT", "Commands", "hookimpl", "hookspec"]

PROJECT: Final = "dispatchtorch"
HOOK_VERSION: Final = 1  # rises when a hook is added or changes

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


class Commands(Protocol):
    """Where `dispatchtorch_cli` puts its sub-commands."""

    def add(
        self, name: str, help: str, configure: Callable[[ArgumentParser], None], execute: Callable[[Namespace], int]
    ) -> None:
        """Adds ``dispatchtorch NAME``: ``configure`` declares its arguments, ``execute`` returns the exit status."""


@hookspec
def dispatchtorch_backends() -> BackendSpec | Sequence[BackendSpec]:  # type: ignore[empty-body]  # a hook's declaration has no body
    """Returns the backends that this plugin offers, as light records; must not import an array library.

    Called once, when the plugin is registered. Since hook version 1.
    """


@hookspec
def dispatchtorch_ops(register: Callable[..., Any]) -> None:
    """Declares new ops by calling ``register`` (schema, decomposition, derivative) for each of them.

    Called when the op table is ready, and for a plugin that is registered later, then. Since hook version 1.
    """


@hookspec(firstresult=True)
def dispatchtorch_kernel(op: str, backend: str) -> Kernel | None:
    """Returns the kernel that shall serve ``op`` on ``backend`` in place of any other; None leaves it alone.

    The plugin registered last is asked first and the first answer counts. Since hook version 1.
    """


@hookspec
def dispatchtorch_wrap_kernel(op: str, backend: str, kernel: Kernel) -> Kernel | None:
    """Returns a kernel around ``kernel``, called with the same arguments; None leaves it alone.

    Chained over all plugins in the order of registration: each sees what the one before it made. Since hook version 1.
    """


@hookspec(firstresult=True)
def dispatchtorch_compile(fn: Callable[..., Any], backend: str) -> Callable[..., Any] | None:
    """Returns ``fn`` compiled for ``backend``; None where this plugin has no compiler for it.

    The plugin registered last is asked first and the first answer counts. Since hook version 1.
    """


@hookspec
def dispatchtorch_cli(commands: Commands) -> None:
    """Adds sub-commands to the ``dispatchtorch`` program by calling ``commands.add``. Since hook version 1."""
