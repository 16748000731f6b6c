"""What all optimizers share: parameter groups, state and how it is saved, hooks, the loop over gradients.

A program's own subclass of `Optimizer` overrides ``step``, as in torch; ours are `GradientStep`s, in the file beside
this one. Must not know: modules, or any single method of optimization.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

from dispatchtorch.autograd.hooks import RemovableHandle
from dispatchtorch.dispatch.tracing import Tracing, tracing
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "Optimizer",
    "ParamsT",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]

ParamsT = Iterable[Any]  # tensors, (name, tensor) pairs, or dicts of groups
StateDict = dict[str, Any]
Closure = Callable[[], Any]
Hook = Callable[..., Any]

_global_pre_hooks: Final[dict[int, Hook]] = {}
_global_post_hooks: Final[dict[int, Hook]] = {}


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required: Final = _Required()


def _hang(hooks: dict[int, Hook], hook: Hook, first: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if first and isinstance(hooks, OrderedDict):
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook ``hook(optimizer, args, kwargs)`` that runs before the step of every optimizer."""
    return _hang(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Returns the handle of a hook ``hook(optimizer, args, kwargs)`` that runs after the step of every optimizer."""
    return _hang(_global_post_hooks, hook)


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a class's ``step`` with the hooks around it; a pre-hook may return new arguments."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if _global_pre_hooks or self._optimizer_step_pre_hooks:
            for hook in (*_global_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
                result = hook(self, args, kwargs)
                if result is not None:
                    if not (isinstance(result, tuple) and len(result) == 2):
                        raise RuntimeError(
                            f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}."
                        )
                    args, kwargs = result
        if tracing.now is not None:
            self._tell(tracing.now)
        out = step(self, *args, **kwargs)
        if _global_post_hooks or self._optimizer_step_post_hooks:
            for hook in (*self._optimizer_step_post_hooks.values(), *_global_post_hooks.values()):
                hook(self, args, kwargs)
        return out

    wrapper.hooked = True  # type: ignore[attr-defined]  # keeps a subclass from wrapping it again
    return wrapper


def _typename(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(value.type())
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Optimizer:
    """The base of optimizers: holds ``param_groups``, ``defaults`` and the ``state`` of each parameter.

    ``params``: tensors, (name, tensor) pairs, or dicts with "params" and options of their own; ``defaults``: the rest.
    """

    defaults: dict[str, Any]
    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, Any]
    _opt_called: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "hooked", False):
            cls.step = _hooked(step)  # type: ignore[method-assign]  # the same method, with hooks

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + _typename(params)
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hooks(self) -> None:
        self._optimizer_step_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._state_dict_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._state_dict_post_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._load_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._load_post_hooks: OrderedDict[int, Hook] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._make_hooks()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            lines.append("")
        return "\n".join([*lines[:-1], ")"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own; TypeError or ValueError in torch's words for bad ones."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        param_group["params"] = params = list(params)
        self._split_names(param_group)
        for p in param_group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_typename(p)}")
            if not self.defaults.get("differentiable") and p._edge is not None and not p.retains_grad:
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        self._check_new(param_group)
        self.param_groups.append(param_group)

    @staticmethod
    def _split_names(group: dict[str, Any]) -> None:
        params = group["params"]
        named = [isinstance(p, tuple) for p in params]
        if not any(named):
            return
        if not all(named):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        group["params"] = [p for _, p in params]
        group["param_names"] = [name for name, _ in params]

    def _check_new(self, group: dict[str, Any]) -> None:
        params = group["params"]
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=4,
            )
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            words = "with names" if "param_names" in group else "without names"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {words} to the optimizer"
            )
        if not set(params).isdisjoint(chain.from_iterable(g["params"] for g in self.param_groups)):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops all gradients, or with ``set_to_none=False`` writes zeros into them."""
        now = tracing.now if set_to_none else None
        for group in self.param_groups:
            for p in group["params"]:
                extra = p._extra
                grad = None if extra is None else extra.grad
                if now is not None:
                    now.cleared(p)
                if grad is None:
                    continue
                if set_to_none:
                    extra.grad = None
                else:
                    if grad._edge is not None:
                        grad.detach_()
                    else:
                        grad.requires_grad_(False)
                    grad.zero_()

    def step(self, closure: Closure | None = None) -> Any:
        """Moves the parameters once and returns the closure's loss."""
        raise NotImplementedError

    _rates_read_late: tuple[str, ...] = ()  # options that `step` reads so that a compiled one gets them anew each time

    def _tell(self, now: Tracing) -> None:
        """Tells a compiler what a step takes for granted: which parameters there are, and their options."""
        groups = self.param_groups
        now.guard(lambda: tuple([len(group["params"]) for group in groups]), "the number of parameters")
        for group in groups:
            late = {"params", "initial_lr", *self._rates_read_late}
            now.watch(group, [name for name in group if name not in late and not isinstance(group[name], Tensor)])

    # --- saving ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """Returns the state and options, with parameters replaced by their numbers, in torch's own format."""
        for hook in self._state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {numbers[id(k)] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        packed: StateDict = {"state": state, "param_groups": groups}
        for hook in self._state_dict_post_hooks.values():
            packed = hook(self, packed) or packed
        return packed

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continues from what `state_dict` returned, here or in torch; ValueError if the groups do not match."""
        state_dict = state_dict.copy()
        for hook in self._load_pre_hooks.values():
            state_dict = hook(self, state_dict) or state_dict
        saved = copy.deepcopy(state_dict["param_groups"])
        if len(self.param_groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(self.param_groups, saved)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        theirs = chain.from_iterable(g["params"] for g in saved)
        ours = chain.from_iterable(g["params"] for g in self.param_groups)
        found = dict(zip(theirs, ours))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            p = found.get(key)
            state[key if p is None else p] = copy.deepcopy(value) if p is None else _cast(p, value)
        for mine, new in zip(self.param_groups, saved):
            new["params"] = mine["params"]
            if "param_names" in mine:
                new.setdefault("param_names", mine["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._load_post_hooks.values():
            hook(self)

    # --- hooks -------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer, args, kwargs)``, which runs before `step` and may return new ones."""
        return _hang(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer, args, kwargs)``, which runs after `step`."""
        return _hang(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer)``, which runs before `state_dict`."""
        return _hang(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer, state_dict)``, which may return another state."""
        return _hang(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer, state_dict)``, which may return another state."""
        return _hang(self._load_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(optimizer)``, which runs after `load_state_dict`."""
        return _hang(self._load_post_hooks, hook, prepend)


def _cast(p: Tensor, value: Any, name: str | None = None) -> Any:
    """Returns a copy of a saved value on the parameter's backend; all but "step" in the parameter's dtype too."""
    if isinstance(value, Tensor):
        like = {"device": p._key.device, "backend": p._key.backend}
        if name == "step":
            return value.detach().clone()
        if p._key.dtype.is_floating_point:
            like["dtype"] = p._key.dtype
        return value.to(**like, copy=True)
    if isinstance(value, dict):
        return {k: _cast(p, v, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(p, v) for v in value)
    return copy.deepcopy(value)
