"""A plugin with two backends over NumPy that prove the contract: one with writable arrays, one with frozen ones.

``DISPATCHTORCH_PLUGINS=dispatchtorch.testing.backends`` registers "loopback" and "immutable". Both run the NumPy
backend's kernels; what differs is the contract's other half, so a failure on one of them alone is a fault of the core.
"""

from __future__ import annotations

from dispatchtorch.plugin import BackendSpec, hookimpl

__all__ = ["dispatchtorch_backends"]

_HOME = "dispatchtorch.testing.loopback"


@hookimpl
def dispatchtorch_backends() -> list[BackendSpec]:
    """Returns the records of the two loopback backends."""
    return [
        BackendSpec(
            name="loopback",
            devices=("cpu",),
            load=f"{_HOME}:LoopbackBackend",
            requires=("numpy",),
            doc="NumPy through the plain contract, without the NumPy backend's short cuts.",
        ),
        BackendSpec(
            name="immutable",
            devices=("cpu",),
            load=f"{_HOME}:ImmutableBackend",
            requires=("numpy",),
            doc="NumPy arrays that nobody can write: views and in-place ops go through lenses.",
        ),
    ]
