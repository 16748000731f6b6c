"""Calling what users attached to gradients: hooks of tensors, leaves and nodes, and anomaly mode's check.

Knows what a hook may return and PyTorch's words where it returns something else; knows no graph.
"""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch.dispatch.modes import anomaly
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["call_hooks", "call_post_hooks", "call_pre_hooks", "run_checked"]


def _name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)


def _type_name(t: Tensor) -> str:
    return f"torch.{'cuda.' if t._key.device.type == 'cuda' else ''}{t._key.dtype.legacy}Tensor"


def call_hooks(hooks: dict[int, Any], g: Tensor) -> Tensor:
    """Returns the gradient after all hooks; TypeError or RuntimeError where one answers with something else."""
    for hook in list(hooks.values()):
        got = hook(g)
        if got is None:
            continue
        if not isinstance(got, Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(got).__name__}'")
        if got._key.dtype is not g._key.dtype:
            raise RuntimeError(
                f"hook '{_name(hook)}' has changed the type of value (was {_type_name(g)} got {_type_name(got)})"
            )
        if tuple(got._a.shape) != tuple(g._a.shape):
            raise RuntimeError(f"hook '{_name(hook)}' has changed the size of value")
        g = got
    return g


def _several(got: Any, given: tuple[Any, ...], hook: Any) -> tuple[Any, ...]:
    if isinstance(got, Tensor) and len(given) == 1:
        return (got,)
    if not isinstance(got, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(got).__name__}'")
    if len(got) != len(given):
        raise RuntimeError(
            f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(got)}, but expected "
            f"{len(given)})"
        )
    return got


def call_pre_hooks(node: Any, g: Any) -> Any:
    """Returns the output gradients after the node's hooks that run before it."""
    given = tuple(g) if node.keys is not None else (g,)
    for hook in list(node.pre_hooks.values()):
        got = hook(given)
        if got is not None:
            given = _several(got, given, hook)
    return list(given) if node.keys is not None else given[0]


def call_post_hooks(node: Any, grads: Any, g: Any) -> list[Any]:
    """Returns the input gradients after the node's hooks that run after it."""
    given = tuple(grads)
    outs = tuple(g) if node.keys is not None else (g,)
    for hook in list(node.post_hooks.values()):
        got = hook(given, outs)
        if got is not None:
            given = _several(got, given, hook)
    return list(given)


def run_checked(node: Any, g: Any) -> Any:
    """Runs a node in anomaly mode: an error or a nan names the forward call."""
    try:
        grads = node.run(g)
    except Exception:
        _blame(node)
        raise
    for i, got in enumerate(grads):
        if anomaly.check_nan and isinstance(got, Tensor) and bool((got != got).any()):
            _blame(node)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")
    return grads


def _blame(node: Any) -> None:
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{node.where}", stacklevel=2
    )
