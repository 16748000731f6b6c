"""Registration and hooks: what is let in, what is refused and in which words, who is asked in which order."""

from types import SimpleNamespace

import pytest

from dispatchtorch._base.errors import DuplicateBackendError, PluginError
from dispatchtorch.plugin import BackendSpec, hookimpl
from dispatchtorch.plugin.discovery import Candidate
from dispatchtorch.plugin.manager import PluginManager


def spec(name="toy", **changes):
    return BackendSpec(**{"name": name, "devices": ("cpu",), "load": "toy.backend:Toy", **changes})


def plugin(**hooks):
    """A plugin with these hooks; hooks are functions whose parameter names count."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def offering(*specs):
    return plugin(dispatchtorch_backends=lambda: list(specs))


@pytest.fixture
def manager():
    return PluginManager(candidates={})


# --- at the door ------------------------------------------------------------------------------------------------------
def test_a_backend_may_be_offered_alone_or_in_a_list(manager):
    manager.register(plugin(dispatchtorch_backends=lambda: spec("one")), "single")
    manager.register(offering(spec("two"), spec("three")), "several")
    assert list(manager.backends()) == ["one", "two", "three"]
    assert list(manager.plugins()) == ["single", "several"]


def test_an_unknown_hook_is_refused_and_the_nearest_named(manager):
    with pytest.raises(PluginError, match=r"plugin 'p': unknown hook 'dispatchtorch_kernels'; did you mean"):
        manager.register(plugin(dispatchtorch_kernels=lambda op, backend: None), "p")


def test_a_function_named_like_an_unknown_hook_is_refused_without_a_marker_too(manager):
    def dispatchtorch_backend():
        raise AssertionError("never called")

    with pytest.raises(
        PluginError, match=r"unknown hook 'dispatchtorch_backend'; did you mean 'dispatchtorch_backends'"
    ):
        manager.register(SimpleNamespace(dispatchtorch_backend=dispatchtorch_backend), "p")


def test_a_forgotten_marker_is_told(manager):
    def dispatchtorch_backends():
        return spec()

    with pytest.raises(PluginError, match="dispatchtorch_backends lacks the @hookimpl marker"):
        manager.register(SimpleNamespace(dispatchtorch_backends=dispatchtorch_backends), "p")


def test_a_plugin_without_hooks_is_refused(manager):
    with pytest.raises(PluginError, match="implements no hook; there are dispatchtorch_backends, dispatchtorch_cli"):
        manager.register(SimpleNamespace(), "p")


def test_a_hook_with_wrong_parameters_is_refused(manager):
    with pytest.raises(PluginError, match=r"plugin 'p': .*tensor"):
        manager.register(plugin(dispatchtorch_kernel=lambda op, tensor: None), "p")
    assert manager.plugins() == {}


def test_a_plugin_for_newer_hooks_is_refused(manager):
    newer = offering(spec())
    newer.dispatchtorch_hook_version = 99
    with pytest.raises(PluginError, match="needs hook version 99, this dispatchtorch has 1"):
        manager.register(newer, "p")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("toy", "dispatchtorch_backends returned builtins.str, expected a BackendSpec"),
        ([{"name": "toy"}], "returned builtins.dict in its list"),
        (spec("Toy"), "'Toy' is no backend name"),
        (spec("auto"), "'auto' is no backend name"),
        (spec(devices="cpu"), "devices must be a tuple of strings, got 'cpu'"),
        (spec(devices=()), "devices is empty"),
        (spec(requires=["numpy"]), "requires must be a tuple of strings"),
        (spec(load="toy.backend"), "load 'toy.backend' is not 'package.module:ClassName'"),
        ([spec("toy"), spec("toy")], "offers the backend name 'toy' twice"),
    ],
)
def test_a_bad_record_is_refused(manager, answer, sentence):
    with pytest.raises(PluginError, match="plugin 'p': ") as caught:
        manager.register(plugin(dispatchtorch_backends=lambda: answer), "p")
    assert sentence in str(caught.value)
    assert manager.plugins() == {}
    assert manager.backends() == {}


def test_a_taken_backend_name_is_refused_naming_both_and_nothing_changes(manager):
    manager.register(offering(spec()), "first", "distribution one 1.0")
    with pytest.raises(DuplicateBackendError) as caught:
        manager.register(offering(spec("other"), spec()), "second")
    assert "plugin 'first' (distribution one 1.0)" in str(caught.value)
    assert "plugin 'second'" in str(caught.value)
    assert list(manager.plugins()) == ["first"]
    assert list(manager.backends()) == ["toy"]


def test_a_name_that_an_installed_backend_has_is_refused_before_that_is_imported():
    manager = PluginManager(candidates={"toy": [Candidate("toy", "never.imported", "distribution one 1.0")]})
    with pytest.raises(
        DuplicateBackendError, match=r"never\.imported \(distribution one 1\.0\) and by plugin 'second'"
    ):
        manager.register(offering(spec()), "second")


def test_registering_twice_is_refused(manager):
    toy = offering(spec())
    manager.register(toy, "p")
    for again in ("p", "q"):
        with pytest.raises(PluginError, match="is already registered"):
            manager.register(toy, again)


def test_unregistering_takes_everything_back(manager):
    toy = offering(spec())
    manager.register(toy, "p")
    assert manager.unregister("p") is toy
    assert manager.backends() == {}
    with pytest.raises(PluginError, match="is not registered"):
        manager.unregister(toy)
    manager.register(toy, "p")
    assert list(manager.backends()) == ["toy"]


def test_listeners_hear_of_every_change_and_of_no_refusal(manager):
    heard = []
    stop = manager.on_change(lambda: heard.append(list(manager.plugins())))
    toy = offering(spec())
    manager.register(toy, "p")
    with pytest.raises(PluginError):
        manager.register(toy, "p")
    manager.unregister(toy)
    stop()
    manager.register(toy, "p")
    assert heard == [["p"], []]


# --- kernels ----------------------------------------------------------------------------------------------------------
def test_the_override_registered_last_is_asked_first(manager):
    def first(): ...
    def last(): ...

    manager.register(plugin(dispatchtorch_kernel=lambda op, backend: first), "first")
    manager.register(plugin(dispatchtorch_kernel=lambda op, backend: last if op == "add" else None), "last")
    assert manager.kernel_override("add", "toy") is last
    assert manager.overriding_plugin("add", "toy") == "last"
    assert manager.kernel_override("mul", "toy") is first
    manager.unregister("first")
    assert manager.kernel_override("mul", "toy") is None
    assert manager.overriding_plugin("mul", "toy") is None


def test_wrappers_are_chained_in_the_order_of_registration(manager):
    def wrapping(letter):
        return plugin(dispatchtorch_wrap_kernel=lambda op, kernel: (lambda: kernel() + letter) if op == "add" else None)

    for letter in "abc":
        manager.register(wrapping(letter), letter)
    kernel, names = manager.wrap_kernel("add", "toy", lambda: "k")
    assert kernel() == "kabc"
    assert names == ["a", "b", "c"]
    manager.unregister("b")
    assert manager.wrap_kernel("add", "toy", lambda: "k")[0]() == "kac"


def test_a_kernel_that_nobody_wraps_is_returned_itself(manager):
    def kernel(): ...

    manager.register(plugin(dispatchtorch_wrap_kernel=lambda kernel: kernel), "same")
    manager.register(plugin(dispatchtorch_wrap_kernel=lambda op: None), "none")
    unwrapped, names = manager.wrap_kernel("add", "toy", kernel)
    assert unwrapped is kernel
    assert names == []


@pytest.mark.parametrize("hook", ["dispatchtorch_kernel", "dispatchtorch_wrap_kernel"])
def test_an_answer_that_cannot_be_called_is_an_error_naming_plugin_and_hook(manager, hook):
    manager.register(plugin(**{hook: lambda op, backend: 3}), "p")
    ask = {
        "dispatchtorch_kernel": lambda: manager.kernel_override("add", "toy"),
        "dispatchtorch_wrap_kernel": lambda: manager.wrap_kernel("add", "toy", len),
    }[hook]
    with pytest.raises(PluginError, match=f"plugin 'p': {hook} returned builtins.int, expected a callable or None"):
        ask()


def test_an_exception_in_a_hook_carries_the_plugins_name(manager):
    def failing(op):
        raise ZeroDivisionError("broken")

    manager.register(plugin(dispatchtorch_kernel=failing), "p")
    with pytest.raises(ZeroDivisionError) as caught:
        manager.kernel_override("add", "toy")
    assert caught.value.__notes__ == ["dispatchtorch: raised by plugin 'p' in its hook dispatchtorch_kernel"]


def test_methods_are_hooks_too(manager):
    class Counter:
        def __init__(self):
            self.count = 0

        @hookimpl
        def dispatchtorch_wrap_kernel(self, kernel):
            def counting(*args):
                self.count += 1
                return kernel(*args)

            return counting

    counter = Counter()
    manager.register(counter, "counter")
    kernel, names = manager.wrap_kernel("neg", "toy", abs)
    assert kernel(-3) == 3
    assert counter.count == 1
    assert names == ["counter"]


# --- the other hooks --------------------------------------------------------------------------------------------------
def test_ops_are_declared_at_start_and_later_at_once(manager):
    declared = []
    manager.register(plugin(dispatchtorch_ops=lambda register: register("early")), "early")
    manager.ops(declared.append)
    manager.register(plugin(dispatchtorch_ops=lambda register: register("late")), "late")
    assert declared == ["early", "late"]


def test_the_first_compiler_that_answers_is_taken(manager):
    manager.register(plugin(dispatchtorch_compile=lambda fn, backend: len if backend == "toy" else None), "p")
    assert manager.compile(abs, "toy") is len
    assert manager.compile(abs, "other") is None
