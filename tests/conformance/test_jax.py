"""The conformance kit on JAX, as far as every run of the suite can pay for compiling it: a part, and which one.

Asked are values, gradients, in-place writes and aliasing in float32, of the first sample of each op and of the first of
torch's own samples of each of its ops, and the laws of contract and engine. Left out are an op's further samples, the
other dtypes, differences (gradcheck), ``out=`` and methods: ``dispatchtorch conformance --backend jax --jobs 2`` asks
everything, which ``tox -e kit`` does.
"""

import pytest

from dispatchtorch.testing.conformance.suite import Conformance

pytest.importorskip("jax")


class TestJax(Conformance):
    backend = "jax"
    aspects = ("forward", "gradient", "inplace", "aliasing")
    dtypes = ("float32",)
    calls = 1
