"""Which arguments a transform is about, and the shapes that functions have to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from dispatchtorch._base.pytree import tree_flatten, tree_leaves, tree_unflatten
from dispatchtorch.autograd.tape import fresh, settled
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Argnums", "all_tensors", "chosen", "fresh_tree", "replaced", "settled_tree", "with_aux"]

Argnums: TypeAlias = int | tuple[int, ...]


def chosen(argnums: Argnums, args: Sequence[Any]) -> Any:
    """Returns the arguments that ``argnums`` names: one, or a tuple; RuntimeError for what names none."""
    if isinstance(argnums, int):
        return args[_place(argnums, len(args))]
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    if len(set(argnums)) != len(argnums):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    if not all(isinstance(n, int) for n in argnums):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    return tuple([args[_place(n, len(args))] for n in argnums])


def _place(n: int, count: int) -> int:
    if not -count <= n < count:
        raise RuntimeError(f"Got argnum={n}, but only {count} positional inputs")
    return n % count


def replaced(args: Sequence[Any], argnums: Argnums, given: Any) -> list[Any]:
    """Returns the arguments with others in the places that ``argnums`` names."""
    out = list(args)
    if isinstance(argnums, int):
        out[argnums] = given
    else:
        for n, value in zip(argnums, given, strict=True):
            out[n] = value
    return out


def fresh_tree(tree: Any, connected: bool) -> tuple[Any, list[Tensor]]:
    """Returns the tree with every tensor made a place to differentiate by, and those; ValueError for other leaves."""
    leaves, spec = tree_flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(leaf)}")
    made = [fresh(leaf, connected) for leaf in leaves]
    return tree_unflatten(made, spec), made


def settled_tree(tree: Any, own: Sequence[Tensor], outer: bool) -> Any:
    """Returns results without the history that leads to the transform's own inputs alone."""
    leaves, spec = tree_flatten(tree)
    return tree_unflatten([settled(leaf, own, outer) for leaf in leaves], spec)


def with_aux(result: Any, name: str) -> tuple[Any, Any]:
    """Returns what a function gave together with something else; RuntimeError where it gave no pair."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result[0], result[1]


def all_tensors(tree: Any, name: str) -> list[Tensor]:
    """Returns the leaves of a function's result; RuntimeError where one is no tensor."""
    leaves = tree_leaves(tree)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            inner = name.partition("(")[2].rstrip(")").partition(",")[2].strip()
            call = "f(*primals)" if "primals" in inner else f"f({inner})"
            raise RuntimeError(f"{name}: expected {call} to return only tensors, got unsupported type {type(leaf)}")
    return leaves
