"""The environment: what each variable may say, and that nothing is true by accident."""

import pytest

from dispatchtorch._base import config
from dispatchtorch._base.errors import ConfigError


def test_nothing_set_means_the_defaults():
    assert config.read({}) == config.Config(backend=(), fallback="error", plugins=(), disable=frozenset())


@pytest.mark.parametrize("variable", sorted(config.KNOWN))
def test_an_empty_value_is_as_good_as_none(variable):
    assert config.read({variable: ""}) == config.Config()


@pytest.mark.parametrize(
    ("value", "names"),
    [("a", ("a",)), (" a , b,", ("a", "b")), ("a,b,a", ("a", "b")), ("auto", ("auto",))],
)
def test_backend_is_a_name_a_list_or_auto(value, names):
    assert config.read({"DISPATCHTORCH_BACKEND": value}).backend == names


@pytest.mark.parametrize("value", ["error", "warn", "allow", "WARN"])
def test_fallback_is_one_of_three_words(value):
    assert config.read({"DISPATCHTORCH_FALLBACK": value}).fallback == value.lower()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DISPATCHTORCH_FALLBACK", "0", "one of error, warn, allow"),
        ("DISPATCHTORCH_FALLBACK", "true", "one of error, warn, allow"),
        ("DISPATCHTORCH_BACKEND", "a b", "a backend's name"),
        ("DISPATCHTORCH_BACKEND", "auto,a", "a backend's name"),
        ("DISPATCHTORCH_BACKEND", "1", "a backend's name"),
        ("DISPATCHTORCH_PLUGINS", "no/path.py", "dotted names"),
        ("DISPATCHTORCH_PLUGINS", "false", "dotted names"),
        ("DISPATCHTORCH_DISABLE", "0", "names of backends or plugins"),
        ("DISPATCHTORCH_DISABLE", "true", "names of backends or plugins"),
        ("DISPATCHTORCH_DISABLE", "auto", "names of backends or plugins"),
    ],
)
def test_a_value_without_meaning_is_an_error_that_names_the_variable(variable, value, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        config.read({variable: value})
    assert str(caught.value).startswith(f"{variable}={value!r} is not understood: expected ")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("word", ["1", "true", "Yes", " on "])
def test_words_for_yes(word):
    assert config.flag("DISPATCHTORCH_X", environ={"DISPATCHTORCH_X": word}) is True


@pytest.mark.parametrize("word", ["0", "false", "No", "off", ""])
def test_words_for_no(word):
    assert config.flag("DISPATCHTORCH_X", default=True, environ={"DISPATCHTORCH_X": word}) is False


def test_a_flag_is_not_true_because_it_is_set():
    assert config.flag("DISPATCHTORCH_X", default=True, environ={}) is True
    with pytest.raises(ConfigError, match="DISPATCHTORCH_X='maybe'"):
        config.flag("DISPATCHTORCH_X", environ={"DISPATCHTORCH_X": "maybe"})


def test_misspelt_variables_are_found():
    environ = {"DISPATCHTORCH_BACKENDS": "a", "DISPATCHTORCH_BACKEND": "a", "HOME": "/"}
    assert config.unknown_variables(environ) == ("DISPATCHTORCH_BACKENDS",)


def test_the_process_reads_once_until_told(monkeypatch):
    monkeypatch.setenv("DISPATCHTORCH_FALLBACK", "warn")
    try:
        assert config.refresh().fallback == "warn"
        monkeypatch.setenv("DISPATCHTORCH_FALLBACK", "allow")
        assert config.current().fallback == "warn"
        assert config.refresh().fallback == "allow"
    finally:
        monkeypatch.undo()
        config.refresh()
