"""Discovery: names without imports, manifests when asked for, broken plugins that harm nobody else."""

import sys

import pytest

from dispatchtorch._base.errors import (
    BackendDisabledError,
    BackendLoadError,
    DuplicateBackendError,
    PluginError,
    UnknownBackendError,
)
from dispatchtorch.plugin import BackendSpec, discovery
from dispatchtorch.plugin.discovery import Candidate, find
from dispatchtorch.plugin.manager import PluginManager

MANIFEST = """
from dispatchtorch.plugin import BackendSpec, hookimpl

@hookimpl
def dispatchtorch_backends():
    return BackendSpec(name={name!r}, devices=("cpu",), load="x:Y", requires={requires!r}, install="pip install {name}")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder on the path, and a way to fill it with manifests; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(package, text):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "plugin.py").write_text(text)

    write.path = str(tmp_path)
    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def distribution(folder, name, entries):
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "\n".join(f"{key} = {value}" for key, value in entries.items())
    (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[dispatchtorch.backends]\n{lines}\n")


def manifest(name, requires=()):
    return MANIFEST.format(name=name, requires=requires)


def test_a_checkout_on_the_path_is_found_without_metadata(place):
    place("dispatchtorch_toyone", "raise RuntimeError('imported')\ndef dispatchtorch_backends(): ...")
    (found,) = find([place.path])["toyone"]
    assert (found.name, found.module) == ("toyone", "dispatchtorch_toyone.plugin")
    assert "dispatchtorch_toyone" not in sys.modules


def test_a_plugin_that_offers_no_backend_is_not_listed_as_one(place):
    place("dispatchtorch_toytimer", "def dispatchtorch_wrap_kernel(kernel): ...")
    assert find([place.path]) == {}


def test_metadata_is_read_and_nothing_imported(place, tmp_path):
    distribution(tmp_path, "stranger", {"toytwo": "stranger_pkg.manifest"})
    assert find([place.path]) == {
        "toytwo": (Candidate("toytwo", "stranger_pkg.manifest", "distribution stranger 1.0"),)
    }


def test_one_manifest_met_twice_is_one_candidate(place, tmp_path):
    place("dispatchtorch_toyone", manifest("toyone"))
    distribution(tmp_path, "stranger", {"toyone": "dispatchtorch_toyone.plugin"})
    (found,) = find([place.path, place.path])["toyone"]
    assert found.source == "distribution stranger 1.0"


def test_two_distributions_with_one_name_are_refused_naming_both(place, tmp_path):
    distribution(tmp_path, "one", {"toyone": "one_pkg.plugin"})
    distribution(tmp_path, "two", {"toyone": "two_pkg.plugin"})
    manager = PluginManager(find([place.path]))
    with pytest.raises(DuplicateBackendError) as caught:
        manager.spec("toyone")
    assert "distribution one 1.0" in str(caught.value)
    assert "distribution two 1.0" in str(caught.value)
    assert "DISPATCHTORCH_DISABLE" in str(caught.value)


def test_disabling_one_of_two_modules_settles_it(place, tmp_path):
    place("two_pkg", manifest("toyone"))
    distribution(tmp_path, "one", {"toyone": "one_pkg.plugin"})
    distribution(tmp_path, "two", {"toyone": "two_pkg.plugin"})
    manager = PluginManager(find([place.path]), disabled=frozenset({"one_pkg.plugin"}))
    assert manager.spec("toyone").name == "toyone"


def test_a_manifest_is_imported_when_its_backend_is_asked_for(place):
    place("dispatchtorch_toyone", manifest("toyone"))
    manager = PluginManager(find([place.path]))
    assert list(manager.installed()) == ["toyone"]
    assert manager.backends() == {}
    assert "dispatchtorch_toyone.plugin" not in sys.modules
    assert isinstance(manager.spec("toyone"), BackendSpec)
    assert list(manager.backends()) == ["toyone"]


@pytest.mark.parametrize("failure", ["import no_such_library_of_mine", "1 / 0", "raise SystemExit(3)", "def ("])
def test_a_broken_manifest_keeps_its_traceback_and_harms_nobody(place, failure):
    place("dispatchtorch_toybad", f"{failure}\ndef dispatchtorch_backends(): ...")
    place("dispatchtorch_toyone", manifest("toyone"))
    manager = PluginManager(find([place.path]))
    assert list(manager.installed()) == ["toybad", "toyone"]
    assert manager.spec("toyone").name == "toyone"
    for _ in range(2):
        with pytest.raises(BackendLoadError, match=r"backend 'toybad' \(dispatchtorch_toybad\.plugin") as caught:
            manager.spec("toybad")
        assert "Traceback" in caught.value.traceback
        assert failure in caught.value.traceback
        assert caught.value.__cause__ is not None
    assert isinstance(manager.survey()["toybad"], BackendLoadError)


def test_a_manifest_that_does_not_offer_what_its_name_says_is_broken(place):
    place("dispatchtorch_toyone", manifest("another"))
    with pytest.raises(BackendLoadError, match="offers no backend called 'toyone'") as caught:
        PluginManager(find([place.path])).spec("toyone")
    assert isinstance(caught.value.__cause__, PluginError)


def test_an_unknown_name_is_answered_with_what_there_is_and_the_command_for_the_rest(place):
    place("dispatchtorch_toyone", manifest("toyone"))
    place("dispatchtorch_toytwo", manifest("toytwo", requires=("no_such_library_of_mine",)))
    with pytest.raises(UnknownBackendError) as caught:
        PluginManager(find([place.path])).spec("toyon")
    assert str(caught.value).splitlines() == [
        "unknown backend 'toyon'; installed: toyone (did you mean 'toyone'?)",
        "  toytwo is not ready; install with: pip install toytwo",
    ]


def test_a_disabled_backend_is_neither_listed_nor_had(place):
    place("dispatchtorch_toyone", manifest("toyone"))
    manager = PluginManager(find([place.path]), disabled=frozenset({"toyone"}))
    assert manager.installed() == {}
    with pytest.raises(BackendDisabledError, match="disabled by DISPATCHTORCH_DISABLE"):
        manager.spec("toyone")


def test_after_a_rescan_new_and_mended_plugins_count(place, monkeypatch):
    place("dispatchtorch_toybad", "1 / 0\ndef dispatchtorch_backends(): ...")
    manager = PluginManager()
    monkeypatch.setattr(sys, "path", [place.path])
    with pytest.raises(BackendLoadError):
        manager.spec("toybad")
    place("dispatchtorch_toyone", manifest("toyone"))
    manager.rescan()
    assert manager.spec("toyone").name == "toyone"


@pytest.mark.parametrize(
    ("folder", "facts"), [("some_thing-2.0.dist-info", "METADATA"), ("old-1.egg-info", "PKG-INFO")]
)
def test_records_of_distributions_are_read_as_the_standard_library_reads_them(tmp_path, folder, facts):
    record = tmp_path / folder
    record.mkdir()
    (record / facts).write_text(
        "Metadata-Version: 2.1\nName: Some.Thing\nVersion: 2.0\nSummary: x\n y: z\n\nName: no\n"
    )
    (record / "entry_points.txt").write_text(
        "[console_scripts]\nmine = a:b\n\n[dispatchtorch.backends]\n# mine\nmine = some_thing.plugin\n"
        "other=some_thing.other:module \n[later]\nlast = c\n"
    )
    (tmp_path / "empty-1.dist-info").mkdir()
    found = sorted(discovery._from_metadata([str(tmp_path), str(tmp_path / "none")]))
    assert found == sorted(discovery._from_finders([str(tmp_path)]))
    assert [(c.name, c.module, c.source) for c in found] == [
        ("mine", "some_thing.plugin", "distribution Some.Thing 2.0"),
        ("other", "some_thing.other", "distribution Some.Thing 2.0"),
    ]
