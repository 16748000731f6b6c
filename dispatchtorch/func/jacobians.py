"""Whole Jacobians and Hessians: a product with the Jacobian, mapped over a basis."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.autograd.tape import basis_of, must_keep, pull, push, recording, without_history, zeros_like
from dispatchtorch.batching.mapping import vmap
from dispatchtorch.func.arguments import Argnums, all_tensors, chosen, fresh_tree, replaced, settled_tree, with_aux
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["hessian", "jacfwd", "jacrev"]


def _pairs(
    outs: Sequence[Tensor], ins: Sequence[Tensor], rows: Callable[[int, int], Tensor], spec: Any, its: Any
) -> Any:
    """Returns the blocks of a Jacobian as a tree of outputs, whose leaves are trees of inputs."""
    blocks = [tree_unflatten([rows(i, j) for j in range(len(ins))], spec) for i in range(len(outs))]
    return tree_unflatten(blocks, its)


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Returns a function that gives the Jacobian of ``func`` by some arguments, a row at a time, all rows at once.

    A Jacobian has the output's shape, then the input's. ``chunk_size``: so many rows at once.

    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with recording() as outer:
            given, own = fresh_tree(chosen(argnums, args), outer)
            output = func(*replaced(args, argnums, given), **kwargs)
            aux = None
            if has_aux:
                output, aux = with_aux(output, "vjp(f, *primals)")
            outs = all_tensors(output, "vjp(f, *primals)")
            keep = must_keep(outs, own, outer)

            def row(*cotangents: Tensor) -> tuple[Tensor, ...]:
                got = pull(outs, own, cotangents, keep=keep)
                return tuple([zeros_like(x) if g is None else g for g, x in zip(got, own, strict=True)])

            rows = _mapped_over(row, outs, own, chunk_size)
            starts = _starts(outs)

            def block(i: int, j: int) -> Tensor:
                part = rows[j].narrow(0, starts[i], outs[i].numel())
                part = part.reshape((*outs[i]._a.shape, *own[j]._a.shape))
                return part if keep else without_history(part)

            jacobian = _pairs(outs, own, block, tree_flatten(given)[1], tree_flatten(output)[1])
            aux = settled_tree(aux, own, outer)
        return (jacobian, aux) if has_aux else jacobian

    return wrapper


def _starts(tensors: Sequence[Tensor]) -> list[int]:
    starts = [0]
    for t in tensors:
        starts.append(starts[-1] + t.numel())
    return starts


def _mapped_over(
    row: Callable[..., tuple[Tensor, ...]], over: Sequence[Tensor], results: Sequence[Tensor], chunk: int | None
) -> tuple[Tensor, ...]:
    """Returns what ``row`` gives for each member of the standard basis of ``over``."""
    if not sum([t.numel() for t in over]):
        return tuple([t.detach().new_zeros((0, *t._a.shape)) for t in results])
    return vmap(row, chunk_size=chunk)(*basis_of(over))  # type: ignore[no-any-return]  # a tuple, as row's


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """Returns a function that gives the Jacobian of ``func`` by some arguments, a column at a time, all at once.

    >>> torch.func.jacfwd(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with recording() as outer:
            given, own = fresh_tree(chosen(argnums, args), outer)
            output = func(*replaced(args, argnums, given), **kwargs)
            aux = None
            if has_aux:
                output, aux = with_aux(output, "jvp(f, primals, tangents)")
            outs = all_tensors(output, "jvp(f, primals, tangents)")
            keep = must_keep(outs, own, outer)
            moving = push(outs, own)

            def column(*tangents: Tensor) -> tuple[Tensor, ...]:
                got = moving(tangents, keep=keep)
                return tuple([zeros_like(out) if t is None else t for t, out in zip(got, outs, strict=True)])

            columns = _mapped_over(column, own, outs, None)
            starts = _starts(own)

            def block(i: int, j: int) -> Tensor:
                part = columns[i].narrow(0, starts[j], own[j].numel()).movedim(0, -1)
                part = part.reshape((*outs[i]._a.shape, *own[j]._a.shape))
                return part if keep else without_history(part)

            jacobian = _pairs(outs, own, block, tree_flatten(given)[1], tree_flatten(output)[1])
            aux = settled_tree(aux, own, outer)
        return (jacobian, aux) if has_aux else jacobian

    return wrapper


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Returns a function that gives the second derivatives of ``func``, forward over reverse.

    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
