"""Selective checkpoints: a policy says which calls within the part are kept and which are computed again.

A call that is kept saves its tensors as if there were no checkpoint, and its result serves when the part runs again.
Calls are seen as functions of the torch namespace and methods of Tensor.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.pytree import tree_map
from dispatchtorch.autograd.engine import current_walk
from dispatchtorch.autograd.graph import _set_packing
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.overriding import TorchFunctionMode
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointPolicy",
    "SelectiveCheckpointContext",
    "create_selective_checkpoint_contexts",
]

_MUTATED: Final = "Tensor cached during selective activation checkpoint has been mutated"
_AGAIN: Final = (
    "Trying to backward an extra time. You are only allowed to backward once on any region computed under selective "
    "activation checkpoint."
)

SAC_IGNORED_OPS: Final[frozenset[Any]] = frozenset(
    getattr(Tensor, name)
    for name in ("detach", "dim", "is_contiguous", "numel", "size", "storage_offset", "stride")
    if hasattr(Tensor, name)
)


class CheckpointPolicy(enum.Enum):
    """What is to become of a call: kept, computed again; where it only prefers, somebody else may know better."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy is told beside the call: whether the part runs again, and in forward what the call gave."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


class _Kept:
    def __init__(self, value: Any) -> None:
        self.value = value
        self.version = value._version if isinstance(value, Tensor) else None

    def get(self, may_be_mutated: bool) -> Any:
        if not isinstance(self.value, Tensor):
            return self.value
        if self.version != self.value._version and not may_be_mutated:
            raise RuntimeError(_MUTATED)
        return self.value


_CONSUMED: Final = object()
_SAVES: Final = (
    CheckpointPolicy.MUST_SAVE,
    CheckpointPolicy.PREFER_SAVE,
    CheckpointPolicy.MUST_CPU_OFFLOAD,
    CheckpointPolicy.PREFER_CPU_OFFLOAD,
)


def _policy(given: Any) -> CheckpointPolicy:
    if isinstance(given, bool):
        return CheckpointPolicy.MUST_SAVE if given else CheckpointPolicy.PREFER_RECOMPUTE
    return given  # type: ignore[no-any-return]  # the program's own policy function


class _Forward(TorchFunctionMode):
    """Keeps the results of the calls that the policy wants kept."""

    def __init__(self, policy: Callable[..., Any], storage: list[Any]) -> None:
        super().__init__()
        self.policy, self.storage = policy, storage

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in SAC_IGNORED_OPS or not callable(func):
            return func(*args, **kwargs)
        told = SelectiveCheckpointContext(is_recompute=False)
        if _policy(self.policy(told, func, *args, **kwargs)) not in _SAVES:
            return func(*args, **kwargs)
        before = modes.packing
        _set_packing(before[:-1])  # this call saves as if there were no checkpoint
        try:
            out = func(*args, **kwargs)
        finally:
            _set_packing(before)

        def kept(t: Any) -> Any:
            if not isinstance(t, Tensor):
                return _Kept(t)
            alias = t.detach()
            return _Kept(alias.requires_grad_() if t.requires_grad else alias)

        self.storage.append((func, tree_map(kept, out)))
        return out


class _Again(TorchFunctionMode):
    """Gives the kept results in place of calls, in their order."""

    def __init__(self, policy: Callable[..., Any], storage: list[Any], may_be_mutated: bool) -> None:
        super().__init__()
        self.policy, self.storage, self.may_be_mutated = policy, storage, may_be_mutated
        self.place = 0
        self.walk: Any = None

    def __enter__(self) -> Any:
        self.place, walk = 0, current_walk()
        if self.walk is not None and walk is not None and self.walk != walk:
            raise RuntimeError(_AGAIN)
        self.walk = walk
        return super().__enter__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in SAC_IGNORED_OPS or not callable(func):
            return func(*args, **kwargs)
        told = SelectiveCheckpointContext(is_recompute=True)
        if _policy(self.policy(told, func, *args, **kwargs)) not in _SAVES:
            return func(*args, **kwargs)
        place = self.place
        self.place += 1
        if place >= len(self.storage) or self.storage[place] is _CONSUMED or self.storage[place][0] is not func:
            raise RuntimeError(
                f"{func} encountered during backward but not found in storage. The policy has to give the same answers "
                "when the part runs again."
            )
        _, kept = self.storage[place]
        self.storage[place] = _CONSUMED
        return tree_map(lambda k: k.get(self.may_be_mutated), kept)


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Callable[..., Any] | Sequence[Any], allow_cache_entry_mutation: bool = False
) -> tuple[Any, Any]:
    """Returns the two contexts for ``checkpoint(context_fn=...)`` that keep what a policy or a list of functions says.

    ``policy(ctx, function, *args, **kwargs)`` returns a `CheckpointPolicy`. TypeError for anything else.

    >>> from functools import partial
    >>> from dispatchtorch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
    >>> x = torch.ones(2, 2, requires_grad=True)
    >>> contexts = partial(create_selective_checkpoint_contexts, [torch.mm])
    >>> checkpoint(lambda t: torch.mm(t, t).exp().sum(), x, use_reentrant=False, context_fn=contexts).backward()
    """
    if isinstance(policy_fn_or_list, (list, tuple)):
        for op in policy_fn_or_list:
            if not callable(op):
                raise ValueError(f"Expected op in `op_list` to be a function but got: {op} of type {type(op)}.")
        listed = list(policy_fn_or_list)

        def policy(ctx: SelectiveCheckpointContext, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
            return CheckpointPolicy.MUST_SAVE if op in listed else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    storage: list[Any] = []
    return _Forward(policy, storage), _Again(policy, storage, allow_cache_entry_mutation)
