"""Convolutions, pools and norms: the level's dimension is made one with the batch's, or with that of channels."""

from __future__ import annotations

from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, batched, fold, front, padded, rule, unfold
from dispatchtorch.dispatch.op import Op
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []

Ints = tuple[int, ...]


@rule("_convolution")
def convolution(
    op: Op,
    size: int,
    a: Batched,
    weight: Batched,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    bias: Batched | None = None,
) -> Batched:
    """Returns the convolutions; where weights differ between examples, they become groups of channels."""
    how = (stride, padding, dilation, transposed, output_padding)
    if not weight.batched:
        shared = None if bias is None or bias.batched else bias.inner
        if a.batched:
            out = unfold(op.entry(fold(a.inner, 0), weight.inner, *how, groups, shared), 0, size)
        else:
            out = op.entry(a.inner, weight.inner, *how, groups, shared).unsqueeze(0)
        return Batched(out if shared is not None else _with_bias(out, bias), True)
    images = fold(front(a, size), 1)
    out = unfold(op.entry(images, fold(weight.inner, 0), *how, groups * size, None), 1, size)
    return Batched(_with_bias(out, bias), True)


def _with_bias(out: Tensor, bias: Batched | None) -> Tensor:
    if bias is None:
        return out
    lead = tuple(bias.inner._a.shape)
    line = bias.inner.reshape((*lead[:-1], *([1] if bias.batched else []), lead[-1], *(1,) * (out.ndim - 3)))
    return out + line


@rule("_convolution_weight")
def convolution_weight(
    op: Op,
    size: int,
    a: Batched,
    cotangent: Batched,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Batched:
    """Returns the gradients of the examples' weights: those of groups of channels."""
    images, grads = fold(front(a, size), 1), fold(front(cotangent, size), 1)
    out = op.entry(images, grads, kernel, stride, padding, dilation, groups * size)
    return Batched(unfold(out, 0, size), True)


def _folding(op: Op, size: int, *args: Any) -> Any:
    """Returns what an op gives that treats its first dimension as a batch."""
    if any(isinstance(a, Batched) and a.ndim < 1 for a in args):
        return RULES["*"](op, size, *args)
    given = [fold(front(a, size), 0) if isinstance(a, Batched) else a for a in args]
    out = op.entry(*given)
    several = isinstance(out, tuple)
    return batched([unfold(o, 0, size) for o in out] if several else unfold(out, 0, size))


for _name in ("_im2col", "_col2im", "_max_pool", "_adaptive_max_pool", "_avg_pool", "_avg_pool_backward",
              "_adaptive_avg_pool", "_adaptive_avg_pool_backward"):  # fmt: skip
    RULES[_name] = _folding


@rule("_taps")
def taps(op: Op, size: int, a: Batched, axis: int, *tables: Batched | None) -> Batched:
    """Returns the examples resampled along a dimension by tables that all share."""
    if any(t is not None and t.batched for t in tables):
        return RULES["*"](op, size, a, axis, *tables)  # type: ignore[no-any-return]  # a rule
    return Batched(op.entry(a.inner, axis + 1 if axis >= 0 else axis, *[_bare(t) for t in tables]), True)


@rule("_layer_norm")
def layer_norm(
    op: Op, size: int, a: Batched, ndim: int, eps: float, weight: Batched | None, bias: Batched | None
) -> tuple[Batched, ...]:
    """Returns the examples normalised over their last dims; weights that differ are multiplied afterwards."""
    if not _any(weight, bias):
        return batched(op.entry(a.inner, ndim, eps, _bare(weight), _bare(bias)))  # type: ignore[no-any-return]  # several
    out, *rest = op.entry(front(a, size), ndim, eps, None, None)
    if weight is not None:
        out = out * padded(weight, a.ndim)
    if bias is not None:
        out = out + padded(bias, a.ndim)
    return (Batched(out, True), *[Batched(r, True) for r in rest])


def _any(*given: Batched | None) -> bool:
    return any(g is not None and g.batched for g in given)


def _bare(a: Batched | None) -> Tensor | None:
    return None if a is None else a.inner


def _per_channel(a: Batched, rank: int) -> Tensor:
    tail = (1,) * (rank - 2)
    shape = tuple(a.inner._a.shape)
    return a.inner.reshape((shape[0], 1, shape[1], *tail) if a.batched else (1, 1, shape[0], *tail))


@rule("_group_norm")
def group_norm(
    op: Op, size: int, a: Batched, groups: int, eps: float, weight: Batched | None, bias: Batched | None
) -> tuple[Batched, ...]:
    """Returns the examples normalised within groups, the level's dimension made one with the batch's."""
    late = _any(weight, bias)
    images = fold(front(a, size), 0)
    got = op.entry(images, groups, eps, None if late else _bare(weight), None if late else _bare(bias))
    out, *rest = [unfold(t, 0, size) for t in got]
    if late and weight is not None:
        out = out * _per_channel(weight, a.ndim)
    if late and bias is not None:
        out = out + _per_channel(bias, a.ndim)
    return (Batched(out, True), *[Batched(r, True) for r in rest])


@rule("_batch_norm")
def batch_norm(
    op: Op,
    size: int,
    a: Batched,
    training: bool,
    eps: float,
    weight: Batched | None = None,
    bias: Batched | None = None,
    mean: Batched | None = None,
    var: Batched | None = None,
) -> tuple[Batched, ...]:
    """Returns the examples normalised a channel: the examples' channels stand beside each other."""

    def line(t: Batched | None) -> Tensor | None:
        return None if t is None else front(t, size).reshape((-1,))

    got = op.entry(fold(front(a, size), 1), training, eps, line(weight), line(bias), line(mean), line(var))
    out, *rest = got
    return (Batched(unfold(out, 1, size), True), *[Batched(r.reshape((size, -1)), True) for r in rest])
