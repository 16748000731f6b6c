"""``torch.overrides``: calls that a class or a mode answers itself, by ``__torch_function__``.

Which functions are public is said here; how their calls are shown is a matter of `dispatch.overriding`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

from dispatchtorch.dispatch.overriding import (
    BaseTorchFunctionMode,
    DisableTorchFunction,
    DisableTorchFunctionSubclass,
    TorchFunctionMode,
    dispatch,
    is_overriding,
    overloaded_args,
    register_surface,
    resolved_name,
    state,
)
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "BaseTorchFunctionMode",
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "TorchFunctionMode",
    "enable_reentrant_dispatch",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "get_overridable_functions",
    "get_testing_overrides",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "redispatch_function",
    "resolve_name",
    "wrap_torch_function",
]

_DOORS: Final = ("nn.functional", "linalg", "fft", "special", "nn.init")
_IGNORED: Final = frozenset(
    {
        "as_tensor", "can_cast", "compile", "from_dlpack", "from_file", "from_numpy", "frombuffer",
        "get_default_device", "get_default_dtype", "get_num_threads", "get_rng_state", "initial_seed",
        "is_grad_enabled", "is_inference_mode_enabled", "is_storage", "is_tensor", "is_warn_always_enabled",
        "manual_seed", "promote_types", "result_type", "seed", "set_default_device", "set_default_dtype",
        "set_grad_enabled", "set_num_threads", "set_printoptions", "set_rng_state", "typename", "vmap",
    }
)  # fmt: skip
_LIFE: Final = frozenset(
    {
        "__class_getitem__", "__class__", "__dict__", "__doc__", "__hash__", "__init__", "__init_subclass__",
        "__module__", "__new__", "__slots__", "__subclasshook__", "__torch_function__", "__weakref__",
        "__annotations__", "_make_subclass", "as_subclass",
    }
)  # fmt: skip


def _of_torch() -> dict[str, Any]:
    return {f"torch.{n}": f for n, f in FUNCTIONS.items() if n not in _IGNORED and not n.startswith("_")}


def _of_tensor() -> dict[str, Any]:
    found = {}
    for name, value in vars(Tensor).items():
        if name in _LIFE or (name.startswith("_") and not name.startswith("__")):
            continue
        if isinstance(value, (types.FunctionType, property)):
            found[f"torch.Tensor.{name}"] = value
    return found


def _of_doors() -> dict[str, Any]:
    found = {}
    root = __name__.partition(".")[0]
    for door in _DOORS:
        module = sys.modules.get(f"{root}.{door}")
        for name, value in vars(module).items() if module is not None else ():
            own = (
                isinstance(value, types.FunctionType) and value.__module__ != __name__
            )  # not has_torch_function itself
            if own and not name.startswith("_"):
                found[f"torch.{door}.{name}"] = value
    return found


for _surface in (_of_torch, _of_doors, _of_tensor):
    register_surface(_surface)


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Returns whether a mode is on, or some of the arguments answer calls themselves."""
    if state.modes and not state.all_off:
        return True
    return not state.off and any(is_overriding(value) for value in relevant_args)


def has_torch_function_unary(obj: Any) -> bool:
    """Returns `has_torch_function` of one argument."""
    return has_torch_function((obj,))


def has_torch_function_variadic(*relevant_args: Any) -> bool:
    """Returns `has_torch_function` of the arguments."""
    return has_torch_function(relevant_args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Returns what the mode, or the first of the relevant arguments that answers, makes of ``public_api(*args)``.

    TypeError where all of them return NotImplemented.
    """
    found = [] if state.off else overloaded_args(relevant_args)
    modes = state.modes
    if modes and not state.all_off:
        state.modes = modes[:-1]
        try:
            got = modes[-1].__torch_function__(public_api, tuple([type(v) for v in found]), args, kwargs)
        finally:
            state.modes = modes
        if got is not NotImplemented:
            return got
    for value in found:
        got = value.__torch_function__(public_api, tuple([type(v) for v in found]), args, kwargs)
        if got is not NotImplemented:
            return got
    name = f"{public_api.__module__}.{public_api.__name__}"
    sentence = (
        f"no implementation found for '{name}' on types that implement __torch_function__: {[type(v) for v in found]}"
    )
    if modes:
        sentence += f" nor was it found on the currently active mode {modes[-1]}"
    raise TypeError(sentence)


def wrap_torch_function(
    dispatcher: Callable[..., Iterable[Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Returns a decorator whose functions ask the arguments that ``dispatcher(*args)`` returns first.

    >>> @torch.overrides.wrap_torch_function(lambda a: (a,))
    ... def twice(a):
    ...     return a + a
    >>> twice(torch.ones(2))
    tensor([2., 2.])
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Returns whether it is a tensor, or its class answers calls as a tensor's would."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Returns whether a function is a method of Tensor, or ``__get__`` of one of its properties."""
    if getattr(func, "__name__", "") == "__get__":
        return True
    return any(func is value for value in vars(Tensor).values())


def resolve_name(f: Any) -> str | None:
    """Returns the public name of a function that can be overridden: "torch.Tensor.add"; None for another one.

    >>> torch.overrides.resolve_name(torch.nn.functional.relu)
    'torch.nn.functional.relu'
    """
    if isinstance(f, types.MethodWrapperType):
        return resolved_name(f)
    for surface in (_of_torch, _of_doors, _of_tensor):
        for name, value in surface().items():
            if value is f:
                return name
    return None


def get_ignored_functions() -> set[Callable[..., Any]]:
    """Returns the public functions that no ``__torch_function__`` is asked for."""
    return {f for n, f in FUNCTIONS.items() if n in _IGNORED}


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """Returns the functions that can be overridden, by the module or class that has them."""
    root = sys.modules[__name__.partition(".")[0]]
    found: dict[Any, list[Any]] = {root: list(_of_torch().values())}
    for door in _DOORS:
        module = sys.modules.get(f"{root.__name__}.{door}")
        if module is not None:
            prefix = f"torch.{door}."
            found[module] = [f for n, f in _of_doors().items() if n.startswith(prefix)]
    found[Tensor] = [value.__get__ if isinstance(value, property) else value for value in _of_tensor().values()]
    return found


def get_testing_overrides() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Returns for each function that can be overridden a lambda with its signature, which returns -1."""
    found: dict[Callable[..., Any], Callable[..., Any]] = {}
    for functions in get_overridable_functions().values():
        for function in functions:
            stand_in = lambda *args, **kwargs: -1  # noqa: E731 - a lambda is what torch promises
            try:
                stand_in.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # what inspect looks at
            except (TypeError, ValueError):
                pass
            found[function] = stand_in
    return found


def get_default_nowrap_functions() -> set[Callable[..., Any]]:
    """Returns the functions whose results the default ``__torch_function__`` leaves as they are."""
    members = vars(Tensor)
    return {members[name].__get__ for name in ("_base", "grad", "_grad") if isinstance(members.get(name), property)}


class enable_reentrant_dispatch:
    """Lets a handler make calls that are shown again, within the block."""

    def __enter__(self) -> None:
        self._before = (state.off, state.all_off)
        state.off = state.all_off = False

    def __exit__(self, *exc: object) -> None:
        state.off, state.all_off = self._before


def redispatch_function(func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    """Returns what the arguments' classes make of a call, or the plain result where none answers."""
    found = [] if state.off else overloaded_args(args)
    return dispatch(func, found, tuple(args), kwargs or {}) if found else func(*args, **(kwargs or {}))
