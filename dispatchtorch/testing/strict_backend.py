"""A plugin that runs a GPU backend's own code where there is no GPU, over a namespace that refuses what a GPU refuses.

``DISPATCHTORCH_PLUGINS=dispatchtorch.testing.strict_backend`` registers "strict": the installed backend that serves
nothing but "cuda", made with `strict_namespace` in place of its library and serving "cpu". Whatever would mix host and
device arrays in the core, in the shared kernels or in that backend raises. It knows that backend by what it serves, not
by its name.
"""

from __future__ import annotations

import importlib
from typing import Any

from dispatchtorch.plugin import Backend, BackendSpec, BackendUnavailableError, hookimpl
from dispatchtorch.plugin.manager import manager
from dispatchtorch.testing.strict import strict_namespace

__all__ = ["dispatchtorch_backends", "strict_backend"]


@hookimpl
def dispatchtorch_backends() -> BackendSpec:
    """Returns the record of the stand-in."""
    return BackendSpec(
        name="strict",
        devices=("cpu",),
        load="dispatchtorch.testing.strict_backend:strict_backend",
        requires=("numpy",),
        doc="The GPU backend's code and rules on the host, for tests.",
    )


def strict_backend(namespace: Any = strict_namespace) -> Backend:
    """Returns the GPU backend over ``namespace``; BackendUnavailableError where none is installed.

    Its class has to take the array module as its first argument.
    """
    specs = [s for s in manager().survey().values() if isinstance(s, BackendSpec) and s.devices == ("cuda",)]
    if not specs:
        raise BackendUnavailableError("strict: there is no backend for GPUs to stand in for")
    module, _, attribute = specs[0].load.partition(":")
    original = getattr(importlib.import_module(module), attribute)
    made: Backend = type("StrictBackend", (original,), {"name": "strict", "devices": ("cpu",)})(namespace)
    return made
