"""Exponentials, logarithms and the logistic function: floating results; integers become the default float."""

from __future__ import annotations

import math

from dispatchtorch.dispatch.table import composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import masked_fill
from dispatchtorch.ops.pointwise import Number, Operand, conj_of
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor


@pointwise(grad={"input": lambda g, out: g * conj_of(out)}, dtype="float", samples=unary())
def exp(input: Tensor) -> Tensor:
    """Returns e to these powers.

    >>> torch.exp(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out) * math.log(2)}, dtype="float", samples=unary())
def exp2(input: Tensor) -> Tensor:
    """Returns 2 to these powers.

    >>> torch.exp2(torch.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out + 1)}, dtype="float", samples=unary())
def expm1(input: Tensor) -> Tensor:
    """Returns ``exp(input) - 1``, exact near 0.

    >>> torch.expm1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input)}, dtype="float", samples=unary(low=0.1))
def log(input: Tensor) -> Tensor:
    """Returns natural logarithms.

    >>> torch.log(torch.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input * math.log(2))}, dtype="float", samples=unary(low=0.1))
def log2(input: Tensor) -> Tensor:
    """Returns logarithms to base 2.

    >>> torch.log2(torch.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input * math.log(10))}, dtype="float", samples=unary(low=0.1))
def log10(input: Tensor) -> Tensor:
    """Returns logarithms to base 10.

    >>> torch.log10(torch.tensor([1.0, 10.0]))
    tensor([0., 1.])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input + 1)}, dtype="float", samples=unary(low=-0.5))
def log1p(input: Tensor) -> Tensor:
    """Returns ``log(1 + input)``, exact near 0.

    >>> torch.log1p(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    ...


_floats_only = refusals.not_implemented


@pointwise(
    grad={
        "input": lambda g, input, other: g / conj_of(exp(other - input) + 1),
        "other": lambda g, input, other: g / conj_of(exp(input - other) + 1),
    },
    inplace=False,
    check=_floats_only("logaddexp_cpu", "bool", "integral"),
    samples=binary(number=False),
)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``log(exp(input) + exp(other))`` without overflow.

    >>> torch.logaddexp(torch.tensor([0.0]), torch.tensor([0.0]))
    tensor([0.6931])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, other: g / (exp2(other - input) + 1),
        "other": lambda g, input, other: g / (exp2(input - other) + 1),
    },
    inplace=False,
    check=_floats_only("logaddexp2_cpu", "bool", "integral"),
    samples=binary(number=False),
)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``log2(2**input + 2**other)`` without overflow.

    >>> torch.logaddexp2(torch.tensor([1.0]), torch.tensor([1.0]))
    tensor([2.])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, other: _sigmoid_backward(g, conj_of(other)),
        "other": lambda g, input, other: g * conj_of(input * (1 - other * 2)),
    },
    node="SigmoidBackwardBackward0",
    inplace=False,
)
def _sigmoid_backward(input: Tensor, other: Tensor) -> Tensor:
    """Returns a gradient ``input`` sent through a sigmoid whose result was ``other``."""
    ...


@pointwise(grad={"input": lambda g, out: _sigmoid_backward(g, conj_of(out))}, dtype="float", samples=unary())
def sigmoid(input: Tensor) -> Tensor:
    """Returns ``1 / (1 + exp(-input))``.

    >>> torch.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    ...


def _logit_backward(g: Tensor, input: Tensor, eps: float | None) -> Tensor:
    slope = g / (input * (1 - input))
    if eps is None:
        return masked_fill(slope, (input < 0) | (input > 1), math.nan)
    return masked_fill(slope, (input < eps) | (input > 1 - eps), 0.0)


@pointwise(grad={"input": _logit_backward}, dtype="float", check=_floats_only("logit_cpu", "complex"))
def _logit(input: Tensor, eps: float | None) -> Tensor:
    """Returns ``log(p / (1 - p))`` of p kept ``eps`` away from 0 and 1."""
    ...


def logit_(input: Tensor, eps: float | None = None) -> Tensor:
    """Takes log-odds in place."""
    return _logit.inplace(input, eps)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=logit_, samples=unary(0.1, 0.9))
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Returns ``log(p / (1 - p))``; with ``eps``, p is kept that far from 0 and 1.

    >>> torch.logit(torch.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    return _logit(input, eps)


def _xlogy_backward(g: Tensor, input: Operand, other: Operand) -> Tensor:
    nothing = (input == 0) & (other <= 0)
    log_other = log(other) if isinstance(other, Tensor) else math.log(other) if other > 0 else math.nan
    return masked_fill(g * log_other, nothing, 0.0)


@pointwise(
    grad={"input": _xlogy_backward, "other": lambda g, input, other: g * (input / other)},
    dtype="float",
    check=refusals.not_implemented("xlogy_cpu", "complex"),
    samples=binary(low=0.5),
)
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input * log(other)``, 0 where ``input`` is 0.

    >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    ...
