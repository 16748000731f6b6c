"""Scripting and tracing where there is no compiler: programs stay Python, tasks run when they are forked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Generic, NoReturn, TypeVar

from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "Future", "ScriptFunction", "ScriptModule", "enable_onednn_fusion", "fork", "freeze", "fuser", "is_scripting",
    "is_tracing", "load", "onednn_fusion_enabled", "optimize_for_inference", "optimized_execution", "save", "script",
    "script_if_tracing", "script_method", "set_fusion_strategy", "strict_fusion", "trace", "trace_module", "wait",
]  # fmt: skip

T = TypeVar("T")


class ScriptModule(Module):
    """A module written to be scripted: an ordinary one here."""


class ScriptFunction:
    """A scripted function; there are none here, the name is for ``isinstance``."""

    def __init__(self, *args: Any) -> None:
        raise NotImplementedError("there are no scripted functions: torch.jit.script returns the function itself")


def is_scripting() -> bool:
    """Returns False: Python runs the program."""
    return False


def is_tracing() -> bool:
    """Returns False: nothing is traced."""
    return False


def script(obj: T, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> T:
    """Returns the function, class or module itself, which computes what its scripted form would.

    RuntimeError for what cannot be scripted: neither callable nor a container.
    """
    if not callable(obj) and not isinstance(obj, (list, dict)):
        raise RuntimeError(f"torch.jit.script cannot script a {type(obj).__name__}")
    return obj


def script_method(fn: T) -> T:
    """Returns the method itself."""
    return fn


def script_if_tracing(fn: T) -> T:
    """Returns the function itself."""
    return fn


def trace(
    func: Callable[..., Any],
    example_inputs: Any = None,
    optimize: Any = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_kwarg_inputs: dict[str, Any] | None = None,
    _store_inputs: bool = True,
) -> Any:
    """Returns the function or module itself after one call with the example inputs, which finds what a trace would.

    Python's branches stay branches, so what it returns follows its inputs where a trace would not.
    """
    if example_kwarg_inputs is not None:
        func(**example_kwarg_inputs)
    elif isinstance(example_inputs, (Tensor, dict)):
        func(example_inputs)
    elif example_inputs is not None:
        func(*example_inputs)
    else:
        raise RuntimeError("example_kwarg_inputs should be a dict")
    return func


def trace_module(mod: Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Module:
    """Returns the module itself after one call of each named method with its example inputs."""
    for name, given in inputs.items():
        method = mod if name == "forward" else getattr(mod, name)
        method(*given) if isinstance(given, tuple) else method(given)
    return mod


def freeze(mod: Module, preserved_attrs: list[str] | None = None, optimize_numerics: bool = True) -> Module:
    """Returns the module itself; RuntimeError for one that is training."""
    if mod.training:
        raise RuntimeError("Freezing is currently only implemented for modules in eval mode. Please call .eval() first")
    return mod


def optimize_for_inference(mod: Module, other_methods: list[str] | None = None) -> Module:
    """Returns the module itself."""
    return mod


def _refuse(what: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.jit.{what}() needs a scripted program, and there are none here; use torch.save and torch.load with a "
        "state_dict"
    )


def save(m: Any, f: Any, _extra_files: Any = None) -> NoReturn:
    """Raises NotImplementedError: a program cannot be saved, its weights can."""
    _refuse("save")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> NoReturn:
    """Raises NotImplementedError: a scripted program cannot be run."""
    _refuse("load")


# --- tasks -----------------------------------------------------------------------------------------------------------


class Future(Generic[T]):
    """The result of a task; here tasks are done when they are forked."""

    def __init__(self, value: T) -> None:
        self._value = value

    def wait(self) -> T:
        """Returns the result."""
        return self._value

    value = wait

    def done(self) -> bool:
        """Returns True."""
        return True


def fork(func: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
    """Returns a future of ``func(*args, **kwargs)``, which has been called when this returns."""
    return Future(func(*args, **kwargs))


def wait(future: Future[T]) -> T:
    """Returns the result of a forked call."""
    return future.wait()


# --- settings of compilers that are not there ------------------------------------------------------------------------


@contextlib.contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """Returns a context that changes nothing."""
    yield


@contextlib.contextmanager
def fuser(name: str) -> Iterator[None]:
    """Returns a context that changes nothing; Exception for the name of no fuser."""
    if name not in ("fuser0", "fuser1", "fuser2", "fuser3", "none"):
        raise Exception(f"unrecognized fuser option (name: {name})")
    yield


class strict_fusion(contextlib.AbstractContextManager[None]):
    """A context that changes nothing."""

    def __exit__(self, *error: object) -> None:
        return None


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Returns the strategy before, which is that nothing is fused."""
    return []


def enable_onednn_fusion(enabled: bool) -> None:
    """Does nothing: nothing is fused."""


def onednn_fusion_enabled() -> bool:
    """Returns False."""
    return False
