"""Gradients, products with Jacobians from either side, and linear approximations of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.autograd.tape import fresh, must_keep, pull, push, recording, settled, without_history, zeros_like
from dispatchtorch.func.arguments import Argnums, all_tensors, chosen, fresh_tree, replaced, settled_tree, with_aux
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["grad", "grad_and_value", "jvp", "linearize", "vjp"]

_GRAD = "grad_and_value(f)(*args)"
_VJP = "vjp(f, *primals)"
_JVP = "jvp(f, primals, tangents)"


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Returns a function that gives the gradient of ``func`` by some arguments, and its value.

    ``func`` gives one 0-dimensional tensor, or with ``has_aux`` a pair of it and anything: then the function gives
    ``(gradient, (value, aux))``. RuntimeError for a function that gives something else.

    >>> torch.func.grad_and_value(lambda x: x * x)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with recording() as outer:
            given, own = fresh_tree(chosen(argnums, args), outer)
            output = func(*replaced(args, argnums, given), **kwargs)
            aux = None
            if has_aux:
                output, aux = with_aux(output, _GRAD)
            if not isinstance(output, Tensor):
                raise RuntimeError(f"{_GRAD}: Expected f(*args) to return a Tensor, got {type(output)}")
            if output._a.shape:
                raise RuntimeError(
                    f"{_GRAD}: Expected f(*args) to return a scalar Tensor, got tensor with {output.ndim} dims. Maybe "
                    "you wanted to use the vjp or jacrev APIs instead?"
                )
            keep = must_keep([output], own, outer)
            got = pull([output], own, [zeros_like(output) + 1], keep=keep)
            spec = tree_flatten(given)[1]
            grads = tree_unflatten([_result(g, x, keep) for g, x in zip(got, own, strict=True)], spec)
            value = settled(output, own, outer)
            aux = settled_tree(aux, own, outer)
        return (grads, (value, aux)) if has_aux else (grads, value)

    return wrapper


def _result(g: Tensor | None, x: Tensor, keep: bool) -> Tensor:
    if g is None:
        return zeros_like(x)
    return g if keep else without_history(g)


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Returns a function that gives the gradient of ``func`` by the arguments ``argnums``; with ``has_aux`` aux too.

    >>> torch.func.grad(torch.sin)(torch.tensor(0.0))
    tensor(1.)
    >>> torch.func.grad(torch.func.grad(lambda x: x**3))(torch.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return wrapper


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Returns ``func(*primals)`` and a function that multiplies cotangents with its Jacobian from the left.

    With ``has_aux`` a third result is what ``func`` gave beside its value.

    >>> value, pull = torch.func.vjp(lambda x: x * x, torch.tensor([1.0, 2.0]))
    >>> pull(torch.tensor([1.0, 1.0]))
    (tensor([2., 4.]),)
    """
    with recording() as outer:
        given, own = fresh_tree(primals, outer)
        output = func(*given)
        aux = None
        if has_aux:
            output, aux = with_aux(output, _VJP)
        outs = all_tensors(output, _VJP)
        spec, its = tree_flatten(given)[1], tree_flatten(output)[1]
        results = settled_tree(output, own, outer)
        aux = settled_tree(aux, own, outer)

    def wrapper(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        flat, shape = tree_flatten(cotangents)
        if shape != its:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {_shown(shape)}, primal output: {_shown(its)}"
            )
        for i, (g, out) in enumerate(zip(flat, outs, strict=True)):
            if tuple(g._a.shape) != tuple(out._a.shape):
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
                    f"{out.shape}."
                )
        keep = any(g._key.requires for g in flat) or must_keep(outs, own, outer)
        got = pull(outs, own, flat, keep=keep)
        grads = tree_unflatten([_result(g, x, keep) for g, x in zip(got, own, strict=True)], spec)
        return grads[0] if len(primals) == 1 and not isinstance(grads, tuple) else grads

    return (results, wrapper, aux) if has_aux else (results, wrapper)


def _shown(spec: Any) -> str:
    """Returns a structure as torch's sentence has it: "(*, *)"."""
    return str(tree_unflatten(["*"] * spec.num_leaves, spec)).replace("'*'", "*")


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Returns ``func(*primals)`` and its derivative in the direction of the tangents.

    ``strict`` changes nothing but that outputs which depend on no input are an error. With ``has_aux`` a third result
    is what ``func`` gave beside its value.

    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    flat, spec = tree_flatten(primals)
    directions, theirs = tree_flatten(tangents)
    if spec != theirs:
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a "
            f"tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure "
            f"{theirs}"
        )
    for what, leaves in (("primals", flat), ("tangents", directions)):
        if not leaves:
            raise RuntimeError(f"{_JVP}: Expected {what} to contain at least one Tensor.")
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise RuntimeError(f"{_JVP}: Expected {what} to only contain Tensors, got {type(leaf)}")
    for x, t in zip(flat, directions, strict=True):
        check_tangent(x, t)
    with recording() as outer:
        own = [fresh(x, outer) for x in flat]
        output = func(*tree_unflatten(own, spec))
        aux = None
        if has_aux:
            output, aux = with_aux(output, _JVP)
        outs = all_tensors(output, _JVP)
        moving = push(outs, own)
        keep = outer and (any(t._key.requires for t in directions) or must_keep(outs, own, outer))
        got = moving(directions, keep=keep)
        if strict and any(t is None for t in got):
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
                "allowed with strict=True."
            )
        results = [_result(t, out, keep) for t, out in zip(got, outs, strict=True)]
        moved = tree_unflatten(results, tree_flatten(output)[1])
        value, aux = settled_tree(output, own, outer), settled_tree(aux, own, outer)
    return (value, moved, aux) if has_aux else (value, moved)


def check_tangent(x: Tensor, t: Tensor) -> None:
    """Raises torch's error for a tensor that has no tangents, and for a tangent of another size."""
    if x._key.dtype.category < FLOATING:
        raise ValueError(f"Expected primal to be floating point or complex, but got: {x._key.dtype}")
    if t._key.dtype.category < FLOATING:
        raise ValueError(f"Expected tangent to be floating point or complex, but got: {t._key.dtype}")
    if tuple(x._a.shape) != tuple(t._a.shape):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(x._a.shape)} while the given forward gradient is of size "
            f"{list(t._a.shape)}."
        )


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Returns ``func(*primals)`` and its derivative there, a linear function of tangents that runs ``func`` no more.

    >>> value, along = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> along(torch.tensor(3.0))
    tensor(3.)
    """
    flat, spec = tree_flatten(primals)
    with recording() as outer:
        given, own = fresh_tree(primals, outer)
        output = func(*given)
        leaves, its = tree_flatten(output)
        at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        outs = [leaves[i] for i in at]
        moving = push(outs, own)
        value = settled_tree(output, own, outer)

    def jvp_fn(*tangents: Any) -> Any:
        directions, theirs = tree_flatten(tangents)
        if theirs != spec:
            raise RuntimeError(f"Expected the tangents {theirs} to have the same argspec as the primals {spec}")
        for i, (t, x) in enumerate(zip(directions, flat, strict=True)):
            if tuple(t._a.shape) != tuple(x._a.shape):
                raise RuntimeError(
                    f"tangent:{i} with shape {t.shape} in flattened pytree doesn't match the shape {x.shape} of the "
                    "corresponding primal."
                )
        keep = outer and (any(t._key.requires for t in directions) or must_keep(outs, own, outer))
        got = moving(directions, keep=keep)
        results = list(leaves)
        for i, t, out in zip(at, got, outs, strict=True):
            results[i] = _result(t, out, keep)
        return tree_unflatten(results, its)

    return value, jvp_fn
