"""States of modules: `state_dict` and `load_state_dict`, with their hooks and torch's words for what does not fit.

A mixin over `Tree`; it needs the hook tables and ``_non_persistent_buffers_set`` that `Module.__init__` makes.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.nn.modules.hooks import RemovableHandle, keep
from dispatchtorch.nn.modules.tree import Tree
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = ["EXTRA_STATE", "State"]

EXTRA_STATE = "_extra_state"
_POSITIONAL = (
    "Positional args are being deprecated, use kwargs instead. Refer to "
    "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details."
)
Hook = Callable[..., Any]


class _IncompatibleKeys(NamedTuple("_IncompatibleKeys", [("missing_keys", list[str]), ("unexpected_keys", list[str])])):
    """What `load_state_dict` did not find, and what it found no place for."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


class Loading(NamedTuple):
    """What went wrong so far."""

    missing: list[str]
    unexpected: list[str]
    errors: list[str]


class State(Tree):
    """Saving to and loading from a flat dict of tensors."""

    _version: int = 1
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    # --- saving ------------------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """Returns what a module wants in its state besides tensors; override it together with `set_extra_state`."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def set_extra_state(self, state: Any) -> None:
        """Takes back what `get_extra_state` gave; override it together with `get_extra_state`."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def _persistent(self) -> list[tuple[str, Any]]:
        return [
            *self._parameters.items(),
            *((n, b) for n, b in self._buffers.items() if n not in self._non_persistent_buffers_set),
        ]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name, member in self._persistent():
            if member is not None:
                destination[prefix + name] = member if keep_vars else member.detach()
        if type(self).get_extra_state is not State.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Returns an ordered dict of all parameters and persistent buffers, by dotted path."""
        if args:
            warnings.warn(_POSITIONAL, FutureWarning, stacklevel=2)
        given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
        destination = given.get("destination", destination)
        prefix, keep_vars = given.get("prefix", prefix), given.get("keep_vars", keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            got = hook(self, destination, prefix, metadata)
            if getattr(hook, "_from_public_api", False):
                if got is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif got is not None:
                destination = got
        return destination  # type: ignore[no-any-return]  # an OrderedDict with an attribute

    def _register_state_dict_hook(self, hook: Hook) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return keep(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(module, state_dict, prefix, metadata)``, run after saving."""
        hook._from_public_api = True  # type: ignore[attr-defined]  # torch marks them so; their result is refused
        return keep(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(module, prefix, keep_vars)``, run before saving."""
        return keep(self._state_dict_pre_hooks, hook)

    # --- loading -----------------------------------------------------------------------------------------------------

    def _register_load_state_dict_pre_hook(self, hook: Hook, with_module: bool = False) -> RemovableHandle:
        return keep(self._load_state_dict_pre_hooks, partial(hook, self) if with_module else hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)``."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of ``hook(module, incompatible_keys)``, run after loading."""
        return keep(self._load_state_dict_post_hooks, hook)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        members = self._persistent()
        for name, member in members:
            if member is None:
                continue
            key = prefix + name
            if key in state_dict:
                self._load_one(name, key, member, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        self._load_extra(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict:
            known = {name for name, member in members if member is not None} | set(self._modules)
            for key in state_dict:
                if key.startswith(prefix) and key != prefix + EXTRA_STATE:
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in self._modules if dot else first not in known - set(self._modules):
                        unexpected_keys.append(key)

    def _load_extra(
        self, state_dict: dict[str, Any], prefix: str, strict: bool, missing: list[str], unexpected: list[str]
    ) -> None:
        key = prefix + EXTRA_STATE
        if type(self).set_extra_state is not State.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing.append(key)
        elif strict and key in state_dict:
            unexpected.append(key)

    def _load_one(self, name: str, key: str, member: Tensor, value: Any, assign: bool, errors: list[str]) -> None:
        if not isinstance(value, Tensor):
            errors.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(value)}"
            )
            return
        if not assign and member.dim() == 0 and tuple(value.shape) == (1,):
            value = value[0]  # scalars of very old checkpoints
        if tuple(member.shape) != tuple(value.shape):
            errors.append(
                f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape "
                f"in current "
                f"model is {member.shape}."
            )
            return
        before, modes.grad = modes.grad, False
        try:
            if assign:
                self._assign(name, member, value)
            else:
                member.copy_(value)
        except Exception as error:
            errors.append(
                f'While copying the parameter named "{key}", whose dimensions in the model are {member.size()} and '
                f"whose dimensions in the checkpoint are {value.size()}, an exception occurred : {error.args}."
            )
        finally:
            modes.grad = before

    def _assign(self, name: str, member: Tensor, value: Tensor) -> None:
        if isinstance(member, Parameter):
            if not isinstance(value, Parameter):
                value = Parameter(value, requires_grad=member.requires_grad)
            else:
                value.requires_grad_(member.requires_grad)
        setattr(self, name, value)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Returns the keys that were missing or had no place, after copying all others into the module.

        RuntimeError lists everything that did not fit; with ``strict`` missing and unexpected keys too.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        loading = Loading([], [], [])
        copy: Any = OrderedDict(state_dict)
        metadata = getattr(state_dict, "_metadata", None)
        if metadata is not None:
            copy._metadata = metadata
        self._load_tree(self, copy, "", metadata or {}, strict, assign, loading)
        errors = loading.errors
        if strict:
            if loading.unexpected:
                names = ", ".join(f'"{k}"' for k in loading.unexpected)
                errors.insert(0, f"Unexpected key(s) in state_dict: {names}. ")
            if loading.missing:
                names = ", ".join(f'"{k}"' for k in loading.missing)
                errors.insert(0, f"Missing key(s) in state_dict: {names}. ")
        if errors:
            listed = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        return _IncompatibleKeys(loading.missing, loading.unexpected)

    def _load_tree(
        self,
        module: State,
        state: Any,
        prefix: str,
        metadata: Mapping[str, Any],
        strict: bool,
        assign: bool,
        loading: Loading,
    ) -> None:
        local = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local["assign_to_params_buffers"] = True
        module._load_from_state_dict(state, prefix, local, True, *loading)
        for name, child in module._modules.items():
            if child is not None:
                path = f"{prefix}{name}."
                below = {k: v for k, v in state.items() if k.startswith(path)}
                self._load_tree(child, below, path, metadata, strict, assign, loading)
        mine = _IncompatibleKeys(loading.missing, loading.unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, mine) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return "
                    "new values, "
                    "if incompatible_keys need to be modified, it should be done inplace."
                )
