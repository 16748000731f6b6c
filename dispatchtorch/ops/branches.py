"""Control flow as functions: ``torch.cond`` and ``torch.while_loop``, run as Python runs them.

torch traces both branches; here only the one that is taken runs, and gradients flow through what ran.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["cond", "while_loop"]


def _truth(pred: Any, what: str) -> bool:
    if isinstance(pred, (bool, int, float)):
        return bool(pred)
    if not isinstance(pred, Tensor) or pred._a.size != 1:
        raise RuntimeError(f"Expected {what} to be bool or single-element tensor, but got {pred}.")
    return bool(interop.scalar(pred))


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: tuple[Any, ...] | list[Any] = ()
) -> Any:
    """Returns ``true_fn(*operands)`` where ``pred`` is true, else ``false_fn(*operands)``.

    RuntimeError for a ``pred`` that is neither a bool nor a tensor of one element.

    >>> torch.cond(torch.tensor(True), lambda x: x + 1, lambda x: x - 1, (torch.ones(1),))
    tensor([2.])
    """
    truth = _truth(pred, "pred")
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(
            "Expect operands to be a tuple of possibly nested dict/list/tuple that only consists of tensor leaves, "
            f"but got {operands}."
        )
    return (true_fn if truth else false_fn)(*operands)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: tuple[Any, ...] | list[Any]
) -> tuple[Any, ...]:
    """Returns what ``body_fn`` makes of the inputs, over and over while ``cond_fn`` of them is true.

    RuntimeError where the body gives another number of values than it takes.

    >>> torch.while_loop(lambda i: i < 5, lambda i: (i + 2,), (torch.tensor(0),))
    (tensor(6),)
    """
    if not callable(cond_fn) or not callable(body_fn):
        raise RuntimeError("Expect cond_fn and body_fn to be callable.")
    if not isinstance(carried_inputs, (tuple, list)):
        raise RuntimeError(f"Expect carried_inputs to be a tuple or list, got {type(carried_inputs)}")
    carried = tuple(carried_inputs)
    while _truth(cond_fn(*carried), "cond_fn's result"):
        out = body_fn(*carried)
        if not isinstance(out, (tuple, list)) or len(out) != len(carried):
            raise RuntimeError(
                f"body_fn should return as many values as it takes, {len(carried)}, but returned "
                f"{len(out) if isinstance(out, (tuple, list)) else type(out).__name__}"
            )
        carried = tuple(out)
    return carried


FUNCTIONS.update({"cond": cond, "while_loop": while_loop})
