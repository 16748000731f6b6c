"""``torch.utils._pytree``: nested containers as leaves and a spec, under the name that libraries import it by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dispatchtorch._base.pytree import (
    PyTree,
    TreeSpec,
    register_pytree_node,
    tree_flatten,
    tree_is_leaf,
    tree_leaves,
    tree_map,
    tree_map_only,
    tree_structure,
    tree_unflatten,
)

__all__ = [
    "Context",
    "MappingKey",
    "PyTree",
    "TreeSpec",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]

Context = Any
tree_iter = tree_leaves


class MappingKey(NamedTuple):
    """The place of a child in a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """Returns the child there."""
        return mapping[self.key]


def tree_map_(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: Callable[[PyTree], bool] | None = None
) -> PyTree:
    """Returns the tree itself, when the function has been called with every leaf."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Callable[[PyTree], bool] | None = None) -> bool:
    """Returns whether the predicate holds for every leaf."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Callable[[PyTree], bool] | None = None) -> bool:
    """Returns whether the predicate holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def _dict_flatten(d: dict[Any, Any]) -> tuple[list[Any], Context]:
    """Returns a dict's values and its keys."""
    return list(d.values()), list(d.keys())


def _dict_flatten_with_keys(d: dict[Any, Any]) -> tuple[list[tuple[MappingKey, Any]], Context]:
    """Returns a dict's values, each with its place, and its keys."""
    return [(MappingKey(key), value) for key, value in d.items()], list(d.keys())


def _dict_unflatten(values: Any, context: Context) -> dict[Any, Any]:
    """Returns the dict of these values and keys."""
    return dict(zip(context, values, strict=True))
