"""The kit's own test file: the suite for the backend that ``--backend`` names, or the selected one."""

from __future__ import annotations

import pytest

from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.testing.conformance.suite import Conformance


class TestBackend(Conformance):
    """Every op, the contract and the engine, on one backend."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Takes the backend from the command line."""
        type(self).backend = metafunc.config.getoption("dispatchtorch_backend", None) or default_backend().name
        super().pytest_generate_tests(metafunc)
