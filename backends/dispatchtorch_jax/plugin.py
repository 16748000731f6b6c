"""The JAX backend's manifest: what it is called and where it lives. Imports no array library."""

from __future__ import annotations

from dispatchtorch.plugin import BackendSpec, hookimpl


@hookimpl
def dispatchtorch_backends() -> BackendSpec:
    """Returns the record of the JAX backend; which of its devices exist shows when it is loaded."""
    return BackendSpec(
        name="jax",
        devices=("cpu", "cuda", "xla"),
        load="dispatchtorch_jax.backend:JaxBackend",
        requires=("jax", "jaxlib"),
        install='pip install "dispatchtorch[jax]"',
        doc="JAX (XLA) on whatever it finds: immutable arrays, views and in-place writes through lenses, compiles.",
        priority=20,
        processes="dispatchtorch_jax.processes:join",
    )
