"""The manifest: imports no array library."""

from dispatchtorch.plugin import BackendSpec, hookimpl

dispatchtorch_hook_version = 1


@hookimpl
def dispatchtorch_backends():
    """Returns the record of the abacus backend."""
    return BackendSpec(
        name="abacus",
        devices=("cpu",),
        load="abacus_arrays.backend:AbacusBackend",
        requires=("numpy",),
        install="pip install abacus-arrays",
        doc="Somebody else's arrays.",
    )
