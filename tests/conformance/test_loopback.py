"""The conformance kit on the loopback backends: NumPy through the plain contract, once writable and once frozen.

The loopback must pass everything; what fails on "immutable" alone is a fault in the core's lenses.
"""

import pytest

from dispatchtorch.plugin.manager import manager
from dispatchtorch.testing import backends
from dispatchtorch.testing.conformance.suite import Conformance


def _registered():
    if backends.__name__ not in manager().plugins():
        manager().register(backends, backends.__name__)


_registered()


class _Loopback(Conformance):
    @pytest.fixture(autouse=True)
    def _plugin(self):
        _registered()


class TestLoopback(_Loopback):
    backend = "loopback"
    aspects = ("forward", "gradient", "inplace", "out", "method", "aliasing")


class TestImmutable(_Loopback):
    backend = "immutable"
    aspects = ("forward", "gradient", "inplace", "out", "aliasing")
    dtypes = ("float32", "int64", "bool", "complex64")
