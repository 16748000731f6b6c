"""The rule of what has no rule: the op is run example by example, and the results are stacked."""

from __future__ import annotations

from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import batched, rule
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.table import FUNCTIONS

__all__: list[str] = []


def _one(a: Any, i: int) -> Any:
    if isinstance(a, Batched):
        return a.inner.select(0, i) if a.batched else a.inner
    if isinstance(a, (list, tuple)) and a and isinstance(a[0], Batched):
        return [_one(member, i) for member in a]
    return a


@rule("*")
def by_examples(op: Op, size: int, *args: Any) -> Any:
    """Returns the stacked results of one call an example; RuntimeError for no examples at all."""
    run = op.body if op.decomposed and not op.grad else op.entry
    if size == 0:
        raise RuntimeError(
            "The fallback for vmap does not support a batch of size 0: it runs the op example by example, and there "
            f"is none for {op.name.strip('_')}"
        )
    outs = [run(*[_one(a, i) for a in args]) for i in range(size)]
    stack = FUNCTIONS["stack"]
    if isinstance(outs[0], (tuple, list)):
        return batched([stack(list(members), 0) for members in zip(*outs, strict=True)])
    return batched(stack(outs, 0))
