"""The CuPy backend's manifest: what it is called and where it lives. Imports no array library."""

from __future__ import annotations

from dispatchtorch.plugin import BackendSpec, hookimpl


@hookimpl
def dispatchtorch_backends() -> BackendSpec:
    """Returns the record of the CuPy backend."""
    return BackendSpec(
        name="cupy",
        devices=("cuda",),
        load="dispatchtorch_cupy.backend:CupyBackend",
        requires=("cupy",),
        install='pip install "dispatchtorch[cupy-cuda12]"  # or cupy-cuda13, as the driver has it',
        doc="CuPy on an NVIDIA GPU: arrays are written in place, views share memory.",
        priority=30,
    )
