"""Ops that are told shapes, and ops that leave them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, front, padded, rule
from dispatchtorch.batching.rules.shift import shifted
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.table import FUNCTIONS

__all__: list[str] = []

Ints = tuple[int, ...]


@rule("_cast", "_clone", "_row_major", "_fill", "_tril", "_triu", "_inv", "_det", "_slogdet", "_cholesky")
def same(op: Op, size: int, a: Batched, *rest: Any) -> Any:
    """Returns what the op gives for leading dimensions of any number."""
    out = op.entry(a.inner, *rest)
    return tuple([Batched(o, True) for o in out]) if isinstance(out, tuple) else Batched(out, True)


for _name in ("_qr", "_svd", "_eigh", "_svdvals", "_eigvalsh", "_eig", "_matrix_exp", "_frexp", "_ldl_factor",
              "_lu_factor", "_lu_rows", "_geqrf", "_cholesky_inverse", "_qr_r"):  # fmt: skip
    RULES[_name] = same


@rule("_complex")
def complex_of(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns complex numbers of two parts of one shape."""
    return Batched(op.entry(front(a, size), front(b, size)), True)


@rule("_copy")
def copy(op: Op, size: int, a: Batched, source: Batched) -> Batched:
    """Returns the source in the shape and dtype of what it is written into."""
    return Batched(op.entry(front(a, size), padded(source, a.ndim)), True)


@rule("_unsafe_view")
def unsafe_view(op: Op, size: int, a: Batched, shape: Ints) -> Batched:
    """Returns the elements of each example in another shape."""
    sizes = tuple(shape)
    if -1 in sizes:
        rest = 1
        for n in sizes:
            rest *= n if n != -1 else 1
        sizes = tuple([a.size // rest if n == -1 else n for n in sizes])
    return Batched(op.entry(a.inner, (size, *sizes)), True)


@rule("_repeat")
def repeat(op: Op, size: int, a: Batched, repeats: Ints) -> Batched:
    """Returns the examples repeated along their dimensions."""
    return Batched(op.entry(padded(a, len(repeats)), (1, *repeats)), True)


@rule("_diag_embed")
def diag_embed(op: Op, size: int, a: Batched, offset: int, dim1: int, dim2: int) -> Batched:
    """Returns matrices with the examples on their diagonals."""
    return Batched(op.entry(a.inner, offset, shifted(dim1, 1), shifted(dim2, 1)), True)


@rule("_cat", "_stack")
def join(op: Op, size: int, tensors: Sequence[Batched], dim: int) -> Batched:
    """Returns examples joined; an empty vector among tensors of more dimensions counts as nothing."""
    rank = max(t.ndim for t in tensors)
    kept = [t for t in tensors if t.ndim == rank] if op.name == "_cat" else tensors
    out = op.entry([front(t, size) for t in kept], shifted(dim, rank))
    return Batched(out, True)


@rule("_pad_constant")
def pad_constant(op: Op, size: int, a: Batched, pads: Any, value: Any) -> Batched:
    """Returns the examples padded."""
    return Batched(op.entry(a.inner, ((0, 0), *pads), value), True)


@rule("_pad_edges")
def pad_edges(op: Op, size: int, a: Batched, pads: Any, mode: str) -> Batched:
    """Returns the examples continued at their edges: the last dimensions only."""
    return Batched(op.entry(a.inner, pads, mode), True)


@rule("_select_backward")
def select_backward(op: Op, size: int, g: Batched, shape: Ints, dim: int, index: int) -> Batched:
    """Returns zeros with the examples at one index."""
    return Batched(op.entry(g.inner, (size, *shape), dim % len(shape) + 1, index), True)


@rule("_slice_backward")
def slice_backward(op: Op, size: int, g: Batched, shape: Ints, dim: int, *where: Any) -> Batched:
    """Returns zeros with the examples in a range."""
    return Batched(op.entry(g.inner, (size, *shape), dim % len(shape) + 1, *where), True)


@rule("_diagonal_backward")
def diagonal_backward(op: Op, size: int, g: Batched, shape: Ints, offset: int, dim1: int, dim2: int) -> Batched:
    """Returns zeros with the examples on a diagonal."""
    n = len(shape)
    return Batched(op.entry(g.inner, (size, *shape), offset, dim1 % n + 1, dim2 % n + 1), True)


@rule("_unfold_backward")
def unfold_backward(op: Op, size: int, g: Batched, shape: Ints, dim: int, extent: int, step: int) -> Any:
    """Returns zeros to which the windows of the examples were added."""
    if not shape:
        return Batched(g.inner.sum(1), True)
    return Batched(op.entry(g.inner, (size, *shape), dim % len(shape) + 1, extent, step), True)


@rule("_vdot")
def vdot(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns the products of vectors, the first conjugated."""
    return Batched((FUNCTIONS["conj"](front(a, size)).resolve_conj() * front(b, size)).sum(-1), True)
