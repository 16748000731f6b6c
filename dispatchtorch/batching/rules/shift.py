"""Ops along dimensions that are counted from the front: reductions, scans, sorts; the level's dimension shifts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, batched, front, rule
from dispatchtorch.dispatch.op import Op
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["shifted"]


def shifted(dims: Any, ndim: int) -> Any:
    """Returns a dim, or dims, of the examples as those of the whole; None is all of them."""
    if dims is None:
        return tuple(range(1, max(ndim, 1) + 1))
    if isinstance(dims, int):
        return dims + 1 if dims >= 0 else dims
    if not dims and not ndim:
        return (1,)
    return tuple([d + 1 if d >= 0 else d for d in dims])


def _along(*positions: int) -> Any:
    """Returns the rule of an op whose arguments at ``positions`` are dims; an example of no dims gets one of size 1."""

    def run(op: Op, size: int, *args: Any) -> Any:
        tensors = [a for a in args if isinstance(a, Batched)]
        ndim = tensors[0].ndim
        scalar = not ndim
        given: list[Any] = []
        for i, a in enumerate(args):
            if isinstance(a, Batched):
                t = front(a, size)
                given.append(t.reshape((size, 1)) if scalar else t)
            else:
                given.append(shifted(a, ndim) if i in positions else a)
        out = op.entry(*given)
        if not scalar:
            return batched(out)
        return batched([o.reshape((size,)) for o in out] if isinstance(out, tuple) else out.reshape((size,)))

    return run


for _name in ("_fft_c2c", "_fft_r2c", "_fft_c2r"):
    RULES[_name] = _along(1)
for _names, _positions in {
    ("_sum", "_nansum", "_mean", "_prod", "_logsumexp", "_all", "_any", "_count_nonzero", "_amax", "_amin"): (1,),
    ("_aminmax", "_var", "_std", "_var_mean", "_std_mean", "_softmax", "_log_softmax"): (1,),
    ("_max_dim", "_min_dim", "_median", "_mode", "_cumsum", "_cumprod", "_cummax", "_cummin", "_logcumsumexp"): (1,),
    ("_sort", "_flip"): (1,),
    ("_vector_norm", "_topk", "_kthvalue", "_softmax_backward", "_log_softmax_backward", "_rot90"): (2,),
}.items():
    for _name in _names:
        RULES[_name] = _along(*_positions)


@rule("_argmax", "_argmin")
def search(op: Op, size: int, a: Batched, dim: int | None, keepdim: bool) -> Batched:
    """Returns the places of the extremes; with no dim, in an example as one row."""
    if dim is not None and a.ndim:
        return Batched(op.entry(a.inner, dim + 1 if dim >= 0 else dim, keepdim), True)
    out: Tensor = op.entry(a.inner.reshape((size, a.size)), 1, False)
    return Batched(out.reshape((size, *(1,) * a.ndim)) if keepdim else out, True)


@rule("_roll")
def roll(op: Op, size: int, a: Batched, shifts: Sequence[int], dims: Sequence[int]) -> Batched:
    """Returns the examples rolled; with no dims, as one row each."""
    if dims:
        return Batched(op.entry(a.inner, shifts, shifted(tuple(dims), a.ndim)), True)
    flat = op.entry(a.inner.reshape((size, a.size)), shifts, (1,))
    return Batched(flat.reshape((size, *a.shape)), True)


@rule("_select_back")
def select_back(op: Op, size: int, values: Batched, index: Batched, dim: int, extent: int) -> Batched:
    """Returns zeros with the values at the places that an extremum came from."""
    return Batched(op.entry(front(values, size), front(index, size), shifted(dim, 1), extent), True)
