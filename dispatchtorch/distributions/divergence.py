"""The registry of divergences by pairs of classes: how one is entered, and which is meant for two given distributions.

Must not know: formulas.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

Formula = Callable[[Any, Any], Tensor]

_KL_REGISTRY: Final[dict[tuple[type[Any], type[Any]], Formula]] = {}  # as entered
_KL_MEMOIZE: Final[dict[tuple[type[Any], type[Any]], Any]] = {}  # as found


def register_kl(type_p: Any, type_q: Any) -> Callable[[Formula], Formula]:
    """Returns a decorator that enters a formula for a pair of classes and their subclasses."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type) and issubclass(kind, Distribution):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def enter(formula: Formula) -> Formula:
        _KL_REGISTRY[type_p, type_q] = formula
        _KL_MEMOIZE.clear()
        return formula

    return enter


def _nearer(mine: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Returns whether a pair of classes stands below another, where the first class that differs decides."""
    for a, b in zip(mine, other):
        if not issubclass(a, b):
            return False
        if a is not b:
            return True
    return True


def _nearest(pairs: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    return functools.reduce(lambda best, pair: pair if _nearer(pair, best) else best, pairs)


def _dispatch_kl(type_p: type[Any], type_q: type[Any]) -> Any:
    """Returns the formula of the nearest superclasses, or NotImplemented; a RuntimeWarning where two are as near."""
    matches = [(p, q) for p, q in _KL_REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not matches:
        return NotImplemented
    left_p, left_q = _nearest(list(matches))
    right_q, right_p = _nearest([(q, p) for p, q in matches])
    left, right = _KL_REGISTRY[left_p, left_q], _KL_REGISTRY[right_p, right_q]
    if left is not right:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({left_p.__name__}, {right_q.__name__})",
            RuntimeWarning,
            stacklevel=2,
        )
    return left


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Returns the Kullback-Leibler divergence KL(p || q) in nats, one for each place of the batch.

    >>> normal = torch.distributions.Normal
    >>> torch.distributions.kl_divergence(normal(0.0, 1.0), normal(1.0, 1.0))
    tensor(0.5000)
    """
    pair = type(p), type(q)
    if pair not in _KL_MEMOIZE:
        _KL_MEMOIZE[pair] = _dispatch_kl(*pair)
    formula = _KL_MEMOIZE[pair]
    if formula is NotImplemented:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return formula(p, q)  # type: ignore[no-any-return]  # a Formula
