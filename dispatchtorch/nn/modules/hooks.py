"""Hooks of modules: how they are kept, and the slow path of a call that has any.

Forward hooks are plain functions around `forward`. Backward hooks sit in the graph: an identity node above a module's
outputs sees the incoming gradients, another below its inputs sees the leaving ones. Must not know any module class.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from dispatchtorch._base.dtypes import bool_
from dispatchtorch.autograd.hooks import RemovableHandle
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node, edge_of, next_seq
from dispatchtorch.tensor.tensor import Tensor, alias_of, new

__all__ = [
    "GLOBAL",
    "GlobalHooks",
    "RemovableHandle",
    "call_with_hooks",
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


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook that sees the gradients of every module's inputs and outputs."""
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


# --- backward hooks --------------------------------------------------------------------------------------------------


class HookNode(Node):
    """An identity in the graph, where a module's backward hooks are called."""

    on_gradients: Callable[[tuple[Any, ...]], tuple[Any, ...]]

    def name(self) -> str:
        """Returns torch's name for it."""
        return "BackwardHookFunctionBackward"

    def run(self, g: Any) -> Any:
        """Returns what the hooks make of the gradients."""
        return list(self.on_gradients(tuple(g)))

    def release(self) -> None:
        """Drops nothing: nothing is saved."""


def _identity(
    tensors: list[Tensor], on_gradients: Callable[[tuple[Any, ...]], tuple[Any, ...]], *, filled: bool = True
) -> list[Tensor]:
    """Returns the same values behind one node whose gradients pass through ``on_gradients``.

    ``filled``: zeros where no gradient arrived, else None.
    """
    node = new(HookNode)
    node.edges = tuple([edge_of(t) for t in tensors])
    node.seq = next_seq()
    node.saved, node.versions = (), None
    node.shape = tuple([tuple(t._a.shape) for t in tensors])
    node.on_gradients = on_gradients
    outs = []
    for i, t in enumerate(tensors):
        out = alias_of(t)
        if t._key.requires:  # what needs none gets zeros, as in torch
            out._key = out._key.as_requires(True)
            out._edge = (node, i)
        outs.append(out)
    empty = [o._key.as_dtype(bool_) for o in outs]  # a dtype without gradients: the engine lays no zeros there
    node.keys = tuple([o._key for o in outs] if filled else empty)
    return outs


def _places(values: tuple[Any, ...]) -> list[int]:
    return [i for i, v in enumerate(values) if isinstance(v, Tensor)]


def _put(values: tuple[Any, ...], places: list[int], members: list[Tensor]) -> tuple[Any, ...]:
    filled = list(values)
    for i, member in zip(places, members, strict=True):
        filled[i] = member
    return type(values)(*filled) if hasattr(values, "_fields") else tuple(filled)


def _spread(count: int, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    full: list[Any] = [None] * count
    for i, g in zip(places, gradients, strict=True):
        full[i] = g
    return tuple(full)


class BackwardHooks:
    """One call's backward hooks: wraps inputs and outputs in identity nodes and calls the hooks in torch's order."""

    def __init__(self, module: Any, pre: list[Hook], post: list[Hook]) -> None:
        self.module, self.pre, self.post = module, pre, post
        self.grad_outputs: tuple[Any, ...] | None = None
        self.input_places: list[int] = []
        self.input_count = 0
        self.wrapped_inputs = False

    def wrap_inputs(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the inputs behind the node at which gradients leave the module."""
        places = _places(inputs)
        self.input_count = len(inputs)
        if not (modes.grad and any(inputs[i]._key.requires for i in places)):
            return inputs
        self.input_places, self.wrapped_inputs = places, True
        return _put(inputs, places, _identity([inputs[i] for i in places], self._leave))

    def wrap_outputs(self, result: Any) -> Any:
        """Returns the outputs behind the node at which gradients enter the module."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=5,
            )
            return result
        values = (result,) if isinstance(result, Tensor) else result
        places = _places(values)
        if not (modes.grad and any(values[i]._key.requires for i in places)):
            return result
        count = len(values)

        def enter(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
            return self._enter(count, places, gradients)

        members = _identity([values[i] for i in places], enter, filled=False)
        outs = _put(values, places, members)
        return outs[0] if isinstance(result, Tensor) else outs

    def _enter(self, count: int, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        full = _spread(count, places, gradients)
        for hook in self.pre:
            got = hook(self.module, full)
            if got is not None:
                full = got if isinstance(got, tuple) else (got,)
                if len(full) != count:
                    raise RuntimeError(
                        f"Backward pre hook returned an invalid number of grad_output, got {len(full)}, but "
                        f"expected {count}"
                    )
        self.grad_outputs = full
        if not self.wrapped_inputs:
            self._call_post((None,) * self.input_count, check=False)
        return tuple([full[i] for i in places])

    def _leave(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_outputs is None:
            return gradients
        full = self._call_post(_spread(self.input_count, self.input_places, gradients), check=True)
        self.grad_outputs = None
        return tuple([full[i] for i in self.input_places])

    def _call_post(self, full: tuple[Any, ...], *, check: bool) -> tuple[Any, ...]:
        for hook in self.post:
            got = hook(self.module, full, self.grad_outputs)
            if got is None:
                continue
            if not check:
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
            got = got if isinstance(got, tuple) else (got,)
            if len(got) != len(full):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(got)}, but expected {len(full)}"
                )
            full = got
        return full


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


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns ``module.forward`` with all global and own hooks around it."""
    called: set[int] = set()
    result: Any = None
    post_hooks = [*GLOBAL.forward.items(), *module._forward_hooks.items()]
    try:
        pre = [*GLOBAL.backward_pre.values(), *module._backward_pre_hooks.values()]
        post = [*GLOBAL.backward.values(), *module._backward_hooks.values()]
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
            if number in GLOBAL.forward_with_kwargs or number in module._forward_hooks_with_kwargs:
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
