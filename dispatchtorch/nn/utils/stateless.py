"""A module called with other parameters and buffers in place of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["call_with", "functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Returns what the module gives with these tensors in place of its own; torch has moved it to ``torch.func``."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future "
        "version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call_with(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def call_with(
    module: Module,
    given: dict[str, Tensor],
    args: Any,
    kwargs: dict[str, Any] | None,
    *,
    tie_weights: bool,
    strict: bool,
) -> Any:
    """Returns what the module gives with these tensors in place of its own."""
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given, tie_weights=tie_weights, strict=strict):
        return module(*positional, **(kwargs or {}))


def _own(module: Module) -> dict[str, Tensor]:
    """Returns parameters and buffers by all their names."""
    named = dict(module.named_parameters(remove_duplicate=False))
    return named | dict(module.named_buffers(remove_duplicate=False))


def _tied(module: Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors, each under all names that its place in the module has."""
    groups: dict[int, set[str]] = {}
    for name, t in _own(module).items():
        groups.setdefault(id(t), set()).add(name)
    out = dict(given)
    for names in groups.values():
        mine = sorted(n for n in given if n in names)
        if not mine or len(names) == 1:
            continue
        if any(given[n] is not given[mine[0]] for n in mine):
            raise ValueError(
                f"functional_call got multiple values for keys {mine}, which are tied. Consider using tie_weights=False"
            )
        out |= dict.fromkeys(names, given[mine[0]])
    return out


def _check_names(module: Module, given: Mapping[str, Tensor]) -> None:
    own = _own(module)
    unexpected = sorted(n for n in given if n not in own)
    missing = sorted(n for n in own if n not in given)
    if unexpected or missing:
        text = f"Error(s) in reparametrizing for {type(module).__name__}:"
        if unexpected:
            text += f"\n\tUnexpected key(s): {', '.join(map(repr, unexpected))}."
        if missing:
            text += f"\n\tMissing key(s): {', '.join(map(repr, missing))}."
        raise RuntimeError(text)


def _holder(module: Module, name: str) -> tuple[Any, str]:
    path, _, last = name.rpartition(".")
    here: Any = module
    for step in path.split(".") if path else ():
        child = here._modules.get(step)
        if child is None:
            raise AttributeError(f"{type(here).__name__} has no attribute `{step}`")
        here = child
    return here, last


@contextmanager
def _swapped(module: Module, given: dict[str, Tensor], *, tie_weights: bool, strict: bool) -> Iterator[None]:
    """Puts the tensors into the module, and its own back at the end; what it assigned meanwhile goes to ``given``."""
    tensors = _tied(module, given) if tie_weights else dict(given)
    if strict:
        _check_names(module, tensors)
    places = []
    for name, t in tensors.items():
        holder, last = _holder(module, name)
        if not isinstance(t, Tensor):
            raise TypeError(f"{t} is not an instance of torch.Tensor")
        members = next((d for d in (holder._parameters, holder._buffers) if last in d), holder.__dict__)
        if last in holder._modules:
            raise TypeError(f"attribute `{last}`: {holder._modules[last]} is not an instance of torch.Tensor")
        places.append((members, last, name, t))
    before = [(members, last, members.get(last, _swapped)) for members, last, _, _ in places]
    for members, last, _, t in places:
        members[last] = t
    try:
        yield
    finally:
        for members, last, name, t in places:
            now = members.get(last)
            if name in given and now is not None and now is not t:
                given[name] = now
        for members, last, old in before:
            if old is _swapped:
                members.pop(last, None)
            else:
                members[last] = old
