"""The NumPy backend's manifest: what it is called and where it lives. Imports no array library."""

from __future__ import annotations

from dispatchtorch.plugin import BackendSpec, hookimpl


@hookimpl
def dispatchtorch_backends() -> BackendSpec:
    """Returns the record of the NumPy backend, the default one."""
    return BackendSpec(
        name="numpy",
        devices=("cpu",),
        load="dispatchtorch_numpy.backend:NumpyBackend",
        requires=("numpy",),
        install="pip install dispatchtorch",
        doc="NumPy on the CPU: arrays are written in place, views share memory.",
        priority=10,
    )
