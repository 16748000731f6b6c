"""The whole conformance kit on numpy."""

from dispatchtorch.testing.conformance.suite import Conformance


class TestNumpy(Conformance):
    backend = "numpy"
