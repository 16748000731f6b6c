"""Hooks of modules: how they are kept, and the slow path of a call that has any.

Forward hooks are plain functions around `forward`; how backward hooks come into the graph is said in `backward_hooks`.
Must not know any module class.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from dispatchtorch.autograd.hooks import RemovableHandle
from dispatchtorch.nn.modules.backward_hooks import BackwardHooks, hook_output

__all__ = [
    "GLOBAL",
    "GlobalHooks",
    "RemovableHandle",
    "call_with_hooks",
    "choose_kind",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

Hook = Callable[..., Any]


class ModuleHandle(RemovableHandle):
    """What registering a module's hook gives back: takes the hook out, and its marks with it."""

    def __init__(self, hooks: MutableMapping[int, Hook], marks: tuple[MutableMapping[int, bool], ...]) -> None:
        super().__init__(hooks)  # type: ignore[arg-type]  # an OrderedDict
        self._marks = marks

    def remove(self) -> None:
        """Takes the hook out; a second call does nothing."""
        super().remove()
        for mark in self._marks:
            mark.pop(self.id, None)


class GlobalHooks:
    """Hooks that every module runs before its own."""

    def __init__(self) -> None:
        self.forward: OrderedDict[int, Hook] = OrderedDict()
        self.forward_with_kwargs: OrderedDict[int, bool] = OrderedDict()
        self.forward_always: OrderedDict[int, bool] = OrderedDict()
        self.forward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.backward: OrderedDict[int, Hook] = OrderedDict()
        self.backward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.is_full: bool | None = None  # which kind `backward` holds
        self.buffer_registration: OrderedDict[int, Hook] = OrderedDict()
        self.module_registration: OrderedDict[int, Hook] = OrderedDict()
        self.parameter_registration: OrderedDict[int, Hook] = OrderedDict()


GLOBAL: Final = GlobalHooks()


def keep(
    hooks: MutableMapping[int, Hook], hook: Hook, *marks: MutableMapping[int, bool], first: bool = False
) -> RemovableHandle:
    """Returns the handle of a hook that is now kept in ``hooks`` and marked in each of ``marks``."""
    handle = ModuleHandle(hooks, marks)
    hooks[handle.id] = hook
    for mark in marks:
        mark[handle.id] = True
    if first:
        for table in (hooks, *marks):
            table.move_to_end(handle.id, last=False)  # type: ignore[attr-defined]  # all of them are OrderedDicts
    return handle


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Returns the handle of a hook that runs after every module's ``forward``."""
    marks = [GLOBAL.forward_with_kwargs] * with_kwargs + [GLOBAL.forward_always] * always_call
    return keep(GLOBAL.forward, hook, *marks)


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that runs before every module's ``forward``."""
    return keep(GLOBAL.forward_pre, hook)


_MIXED = "Cannot use both regular backward hooks and full backward hooks "


def choose_kind(owner: Any, name: str, full: bool, where: str) -> None:
    """Keeps which kind of backward hooks an owner has; RuntimeError where it has the other kind."""
    if getattr(owner, name) is (not full):
        raise RuntimeError(f"{_MIXED}{where}. Please use only one of them.")
    setattr(owner, name, full)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook of the older kind on every module: it sees the last node of `forward` only."""
    choose_kind(GLOBAL, "is_full", False, "as a global Module hook")
    return keep(GLOBAL.backward, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that sees the gradients of every module's inputs and outputs."""
    choose_kind(GLOBAL, "is_full", True, "as a global Module hook")
    return keep(GLOBAL.backward, hook)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that sees the gradients of every module's outputs."""
    return keep(GLOBAL.backward_pre, hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that runs when a buffer is registered and may replace it."""
    return keep(GLOBAL.buffer_registration, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that runs when a child is registered and may replace it."""
    return keep(GLOBAL.module_registration, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that runs when a parameter is registered and may replace it."""
    return keep(GLOBAL.parameter_registration, hook)


# --- a call with hooks -----------------------------------------------------------------------------------------------


def _run_pre(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    own = module._forward_pre_hooks
    for number, hook in [*GLOBAL.forward_pre.items(), *own.items()]:
        if number in module._forward_pre_hooks_with_kwargs:
            got = hook(module, args, kwargs)
            if got is not None:
                if not (isinstance(got, tuple) and len(got) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {got}."
                    )
                args, kwargs = got
        else:
            got = hook(module, args)
            if got is not None:
                args = got if isinstance(got, tuple) else (got,)
    return args, kwargs


def _backward_hooks(module: Any) -> tuple[list[Hook], list[Hook]]:
    """Returns the backward hooks of the two kinds, everybody's first."""
    found: tuple[list[Hook], list[Hook]] = ([], [])
    found[GLOBAL.is_full is False].extend(GLOBAL.backward.values())
    found[module._is_full_backward_hook is False].extend(module._backward_hooks.values())
    return found


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns ``module.forward`` with all global and own hooks around it."""
    called: set[int] = set()
    result: Any = None
    post_hooks = [*GLOBAL.forward.items(), *module._forward_hooks.items()]
    try:
        pre = [*GLOBAL.backward_pre.values(), *module._backward_pre_hooks.values()]
        post, older = _backward_hooks(module)
        args, kwargs = _run_pre(module, args, kwargs)
        backward = BackwardHooks(module, pre, post) if pre or post else None
        if backward is not None:
            args = backward.wrap_inputs(args)
        result = module.forward(*args, **kwargs)
        for number, hook in post_hooks:
            called.add(number)
            if number in GLOBAL.forward_with_kwargs or number in module._forward_hooks_with_kwargs:
                got = hook(module, args, kwargs, result)
            else:
                got = hook(module, args, result)
            if got is not None:
                result = got
        if backward is not None:
            result = backward.wrap_outputs(result)
        if older:
            hook_output(module, older, args, result)
        return result
    except Exception:
        _run_always(module, args, kwargs, result, post_hooks, called)
        raise


def _run_always(
    module: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    hooks: list[tuple[int, Hook]],
    called: set[int],
) -> None:
    """Runs what must be called even when `forward` failed; its own errors become warnings."""
    for number, hook in hooks:
        everywhere = number in GLOBAL.forward_always
        if number in called or not (everywhere or number in module._forward_hooks_always_called):
            continue
        try:
            if number in module._forward_hooks_with_kwargs:  # torch gives everybody's hooks no kwargs here
                got = hook(module, args, kwargs, result)
            else:
                got = hook(module, args, result)
            if got is not None:
                result = got
        except Exception as error:
            which = "global module forward hook" if everywhere else "module forward hook"
            warnings.warn(
                f"{which} with ``always_call=True`` raised an exception that was silenced as another error was "
                f"raised in "
                f"forward: {error}",
                stacklevel=4,
            )
