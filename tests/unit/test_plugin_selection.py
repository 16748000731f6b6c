"""Selection: who decides which backend serves, and what is said when none can."""

import sys
import threading
from types import ModuleType

import numpy as np
import pytest

from dispatchtorch._base.errors import (
    BackendLibraryMissingError,
    BackendLoadError,
    BackendUnavailableError,
    DeviceUnavailableError,
    NoBackendError,
    UnknownBackendError,
)
from dispatchtorch.plugin import Backend, BackendSpec, hookimpl, selection
from dispatchtorch.plugin.manager import manager
from dispatchtorch.plugin.selection import backend_for_device, default_backend, get_backend, set_backend, use_backend


class Toy(Backend):
    """A backend that is formally complete."""

    name = "toy-a"
    devices = ("cpu",)
    aliasing = "lens"
    namespace = np

    def from_host(self, host, device):
        return np.array(host)

    def to_host(self, array):
        return np.asarray(array)

    def set_at(self, array, index, value):
        raise NotImplementedError


class ToyB(Toy):
    name = "toy-b"


class NoDevice(Toy):
    name = "toy-gpu"
    devices = ("hpu",)

    def __init__(self):
        raise BackendUnavailableError("toy-gpu: no device of this kind was found; is its driver loaded?")


class Crashing(Toy):
    name = "toy-crash"

    def __init__(self):
        raise OSError("libtoy.so.1: cannot open shared object file")


class Misnamed(Toy):
    name = "another"


class Incomplete(Toy):
    name = "toy-half"
    aliasing = "native"


class NoBackend:
    pass


CLASSES = {
    "toy-a": Toy, "toy-b": ToyB, "toy-gpu": NoDevice, "toy-crash": Crashing, "toy-misnamed": Misnamed,
    "toy-half": Incomplete, "toy-none": NoBackend,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    """Registers the toys with the process's manager, and leaves it as it was."""
    home = ModuleType("toys_for_selection")
    specs = []
    for name, kind in CLASSES.items():
        setattr(home, kind.__name__, kind)
        devices = getattr(kind, "devices", ("cpu",))
        specs.append(BackendSpec(name, devices, f"toys_for_selection:{kind.__name__}", priority=-1))
    specs.append(BackendSpec("toy-lib", ("cpu",), "toys:X", requires=("sys", "no_such_lib"), install="pip install lib"))
    home.dispatchtorch_backends = hookimpl(lambda: specs)
    monkeypatch.setitem(sys.modules, "toys_for_selection", home)
    manager().register(home, "toys")
    monkeypatch.delenv("DISPATCHTORCH_BACKEND", raising=False)
    selection.refresh()
    yield
    manager().unregister("toys")
    monkeypatch.undo()
    selection.refresh()


def from_environment(monkeypatch, value):
    monkeypatch.setenv("DISPATCHTORCH_BACKEND", value)
    selection.refresh()


def test_a_backend_is_made_once():
    assert get_backend("toy-a") is get_backend("toy-a")
    assert isinstance(get_backend("toy-a"), Toy)
    assert get_backend(get_backend("toy-a")) is get_backend("toy-a")


def test_argument_beats_context_beats_setter_beats_environment(monkeypatch):
    from_environment(monkeypatch, "toy-a")
    assert default_backend().name == "toy-a"
    set_backend("toy-b")
    assert default_backend().name == "toy-b"
    with use_backend("toy-a") as inside:
        assert default_backend() is inside
        assert get_backend() is inside
        assert get_backend("toy-b").name == "toy-b"
        with use_backend("toy-b"):
            assert default_backend().name == "toy-b"
        assert default_backend().name == "toy-a"
    assert default_backend().name == "toy-b"
    set_backend(None)
    assert default_backend().name == "toy-a"


def test_the_context_ends_with_an_exception_too():
    set_backend("toy-b")
    with pytest.raises(ZeroDivisionError), use_backend("toy-a"):
        raise ZeroDivisionError
    assert default_backend().name == "toy-b"


def test_a_context_belongs_to_its_thread_and_the_setter_to_all():
    set_backend("toy-b")
    seen = []
    with use_backend("toy-a"):
        thread = threading.Thread(target=lambda: seen.append(default_backend().name))
        thread.start()
        thread.join()
    assert seen == ["toy-b"]


def test_use_backend_decorates():
    @use_backend("toy-a")
    def name():
        return default_backend().name

    set_backend("toy-b")
    assert [name(), name()] == ["toy-a", "toy-a"]


@pytest.mark.parametrize("wish", ["toy-gpu,toy-lib,toy-b,toy-a", " toy-crash , toy-b", "nobody,toy-b"])
def test_of_an_ordered_list_the_first_that_loads_is_taken(monkeypatch, wish):
    assert get_backend(wish).name == "toy-b"
    from_environment(monkeypatch, wish)
    if "," in wish:
        assert default_backend().name == "toy-b"


def test_a_list_of_which_none_loads_says_why_for_each():
    with pytest.raises(NoBackendError) as caught:
        get_backend("toy-gpu,toy-lib")
    first, gpu, lib = str(caught.value).splitlines()
    assert first == "no backend of 'toy-gpu,toy-lib' can be used:"
    assert gpu == "  toy-gpu: toy-gpu: no device of this kind was found; is its driver loaded?"
    assert "pip install lib" in lib


def test_an_environment_that_names_nobody_says_who_asked(monkeypatch):
    from_environment(monkeypatch, "toyy-a")
    with pytest.raises(UnknownBackendError, match="did you mean 'toy-a'") as caught:
        default_backend()
    assert caught.value.__notes__ == ["asked for by DISPATCHTORCH_BACKEND=toyy-a"]


def test_a_missing_library_says_the_command():
    with pytest.raises(
        BackendLibraryMissingError,
        match=r"^backend 'toy-lib' needs 'no_such_lib', which is not installed; install with: pip install lib$",
    ):
        get_backend("toy-lib")


def test_a_missing_device_is_the_backends_own_sentence():
    with pytest.raises(BackendUnavailableError, match=r"^toy-gpu: no device of this kind was found"):
        get_backend("toy-gpu")


def test_a_crash_keeps_its_cause_and_traceback():
    with pytest.raises(BackendLoadError, match="failed to load: OSError: libtoy") as caught:
        get_backend("toy-crash")
    assert isinstance(caught.value.__cause__, OSError)
    assert "cannot open shared object file" in caught.value.traceback


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("toy-misnamed", "calls itself 'another', its record 'toy-misnamed'"),
        ("toy-half", "native aliasing needs strided, flat, address"),
        ("toy-none", r"is not a dispatchtorch\.plugin\.Backend"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused(name, problem):
    with pytest.raises(BackendLoadError, match=problem):
        get_backend(name)


def test_the_selected_backend_serves_its_own_device():
    with use_backend("toy-b"):
        assert backend_for_device("cpu").name == "toy-b"


def test_a_device_that_nobody_serves_is_torchs_error_with_reasons():
    with use_backend("toy-a"), pytest.raises(AssertionError) as caught:
        backend_for_device("hpu")
    assert str(caught.value) == "Torch not compiled with HPU enabled"
    assert isinstance(caught.value, DeviceUnavailableError)
    assert caught.value.reasons["toy-a"] == "serves cpu"
    assert caught.value.reasons["toy-gpu"].startswith("toy-gpu: no device")


def test_unregistering_a_plugin_takes_its_backends_away():
    set_backend("toy-a")
    plugin = manager().unregister("toys")
    try:
        with pytest.raises(UnknownBackendError):
            get_backend("toy-a")
        assert selection._chosen is None
    finally:
        manager().register(plugin, "toys")
