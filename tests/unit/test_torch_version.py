"""Versions that are strings compare as versions do."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dispatchtorch.torch_version import TorchVersion

ASCENDING = ["1.9", "1.10", "2.0.0.dev3", "2.0a1", "2.0.0rc1", "2.0.0rc2", "2.0", "2.0+cpu", "2.0.post1", "2.13.0"]


@pytest.mark.parametrize(("low", "high"), list(pairwise(ASCENDING)))
def test_order(low, high):
    assert TorchVersion(low) < high
    assert TorchVersion(high) > TorchVersion(low)
    assert not TorchVersion(low) >= high


def test_it_compares_with_tuples_and_stays_a_string():
    version = TorchVersion("2.13.0+cpu")
    assert version >= (2, 13)
    assert version == (2, 13) or version > (2, 13)
    assert TorchVersion("2.0") == "2.0.0"
    assert version.split("+") == ["2.13.0", "cpu"]
    assert {version: 1}["2.13.0+cpu"] == 1
    assert TorchVersion("parrot") > "2"
