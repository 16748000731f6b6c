"""The conformance kit on the GPU backend's own code, over a namespace that refuses what a GPU's library refuses."""

from dispatchtorch.plugin.manager import manager
from dispatchtorch.testing import strict_backend
from dispatchtorch.testing.conformance.suite import Conformance

if strict_backend.__name__ not in manager().plugins():
    manager().register(strict_backend, strict_backend.__name__)


class TestStrict(Conformance):
    backend = "strict"
    aspects = ("forward", "gradient", "inplace", "aliasing")
    dtypes = ("float32", "int64", "bool", "complex64")
