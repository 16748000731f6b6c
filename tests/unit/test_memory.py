"""A backend's wish to keep freed memory: said once, and not at all where a user is against it."""

import pytest

from dispatchtorch._base.errors import ConfigError
from dispatchtorch.plugin.memory import keep_memory


def test_a_user_may_be_against_it(monkeypatch):
    monkeypatch.setenv("DISPATCHTORCH_KEEP_MEMORY", "0")
    assert keep_memory() is False
    monkeypatch.setenv("DISPATCHTORCH_KEEP_MEMORY", "perhaps")
    with pytest.raises(ConfigError, match="DISPATCHTORCH_KEEP_MEMORY"):
        keep_memory()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert keep_memory() is False
