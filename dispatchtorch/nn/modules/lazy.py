"""Modules that learn the sizes of their parameters from the first input.

A mixin over a Module; it must not know which layer it is mixed into.
"""

from __future__ import annotations

from typing import Any, ClassVar

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.nn.modules.hooks import RemovableHandle
from dispatchtorch.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """What makes a module lazy: a hook before the first call, and another before a state is loaded.

    A lazy module says `initialize_parameters(*inputs)`, which materialises what is uninitialised, and the class it
    will be from then on, ``cls_to_become``.
    """

    cls_to_become: ClassVar[type[Any] | None] = None
    _load_hook: RemovableHandle
    _initialize_hook: RemovableHandle
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        me: Any = self
        self._load_hook = me._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = me.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        persistent = {n: b for n, b in self._buffers.items() if n not in self._non_persistent_buffers_set}
        for name, member in (*self._parameters.items(), *persistent.items()):
            if member is not None:
                destination[prefix + name] = member if keep_vars or is_lazy(member) else member.detach()

    def _lazy_load_hook(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Gives what is uninitialised here, but not in the state, the state's shape."""
        for name, member in (*self._parameters.items(), *self._buffers.items()):
            given = state_dict.get(prefix + name)
            if given is not None and is_lazy(member) and not is_lazy(given):
                before, modes.grad = modes.grad, False
                try:
                    member.materialize(given.shape)
                finally:
                    modes.grad = before

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialises what is uninitialised, from the first inputs; every lazy module says its own."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Returns whether anything here has no shape yet."""
        return any(is_lazy(member) for member in (*self._parameters.values(), *self._buffers.values()))

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> None:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. "
            "Run a dummy forward pass to correctly initialize the modules"
        )
