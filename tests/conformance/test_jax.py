"""The conformance kit on JAX: values and gradients of every op in float32, and the laws; the rest when asked for.

The complete run is ``dispatchtorch conformance --backend jax``, which tox does.
"""

import pytest

from dispatchtorch.testing.conformance.suite import Conformance

pytest.importorskip("jax")


class TestJax(Conformance):
    backend = "jax"
    aspects = ("forward", "gradient", "inplace", "aliasing")
    dtypes = ("float32",)
