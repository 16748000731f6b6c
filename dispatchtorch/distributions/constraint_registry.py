"""torch.distributions.constraint_registry: from unconstrained numbers to numbers that satisfy a constraint.

``biject_to`` gives bijections, ``transform_to`` transforms that optimizers like, which need not be one to one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.distributions import constraints, transforms
from dispatchtorch.distributions.table import Number

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], transforms.Transform]


class ConstraintRegistry:
    """Ways to make a transform onto a constraint, by the constraint's class."""

    def __init__(self) -> None:
        self._registry: dict[type[Any], Factory] = {}
        super().__init__()

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Returns the factory after it was entered for a constraint's class; a decorator without a factory."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints") from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _enter(factory: Factory, *wanted: Any, only: ConstraintRegistry | None = None) -> None:
    for registry in (biject_to, transform_to) if only is None else (only,):
        for constraint in wanted:
            registry.register(constraint, factory)


def _onto_interval(constraint: Any) -> transforms.Transform:
    """Returns the sigmoid, moved and stretched where the interval is not 0 to 1."""
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, Number) and isinstance(high, Number) and low == 0 and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _exp_then(loc: Any, scale: float) -> transforms.Transform:
    return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(loc, scale)])


def _above(constraint: Any) -> transforms.Transform:
    return _exp_then(constraint.lower_bound, 1)


def _below(constraint: Any) -> transforms.Transform:
    return _exp_then(constraint.upper_bound, -1)


def _each_independently(registry: ConstraintRegistry) -> Factory:
    def factory(constraint: Any) -> transforms.Transform:
        return transforms.IndependentTransform(
            registry(constraint.base_constraint), constraint.reinterpreted_batch_ndims
        )

    return factory


def _each_of_runs(registry: ConstraintRegistry) -> Factory:
    def factory(constraint: Any) -> transforms.Transform:
        return transforms.CatTransform([registry(c) for c in constraint.cseq], constraint.dim, constraint.lengths)

    return factory


def _each_of_slices(registry: ConstraintRegistry) -> Factory:
    def factory(constraint: Any) -> transforms.Transform:
        return transforms.StackTransform([registry(c) for c in constraint.cseq], constraint.dim)

    return factory


_enter(lambda constraint: transforms.identity_transform, constraints.real)
for _registry in (biject_to, transform_to):
    _registry.register(constraints.independent, _each_independently(_registry))
    _registry.register(constraints.cat, _each_of_runs(_registry))
    _registry.register(constraints.stack, _each_of_slices(_registry))
_enter(_above, constraints.greater_than, constraints.greater_than_eq)
_enter(_below, constraints.less_than)
_enter(_onto_interval, constraints.interval, constraints.half_open_interval)
_enter(lambda constraint: transforms.StickBreakingTransform(), constraints.simplex, only=biject_to)
_enter(lambda constraint: transforms.SoftmaxTransform(), constraints.simplex, only=transform_to)
_enter(lambda constraint: transforms.CorrCholeskyTransform(), constraints.corr_cholesky)
_enter(lambda constraint: transforms.LowerCholeskyTransform(), constraints.lower_cholesky, only=transform_to)
_enter(
    lambda constraint: transforms.PositiveDefiniteTransform(),
    constraints.positive_definite,
    constraints.positive_semidefinite,
    only=transform_to,
)
