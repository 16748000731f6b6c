"""Nested containers as a flat list of leaves and a spec that puts them back.

For: everything that takes or returns arguments in containers: compilation, function transforms, collation. Containers
are list, tuple, namedtuple, dict, OrderedDict, defaultdict, deque, and types that were registered; only these very
types, so that a subclass of list is a leaf. ``None`` is a leaf too. Dicts keep their insertion order. All as in
``torch.utils._pytree``. Must not know: what a leaf is; no dtype, tensor or op.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from types import UnionType
from typing import Any, NamedTuple

__all__ = [
    "TreeSpec",
    "register_pytree_node",
    "tree_flatten",
    "tree_is_leaf",
    "tree_leaves",
    "tree_map",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any
IsLeaf = Callable[[PyTree], bool]
FlattenFn = Callable[[Any], tuple[Iterable[Any], Any]]
UnflattenFn = Callable[[list[Any], Any], Any]


# --- containers ---
class _Node(NamedTuple):
    """How one type of container is taken apart into (children, context), and put together again."""

    flatten: FlattenFn
    unflatten: UnflattenFn


_NODES: dict[Any, _Node] = {
    list: _Node(lambda node: (node, None), lambda children, _: children),
    tuple: _Node(lambda node: (node, None), lambda children, _: tuple(children)),
    # All namedtuples share this entry, whose key is the factory itself; the class is the context.
    namedtuple: _Node(lambda node: (node, type(node)), lambda children, cls: cls(*children)),
    dict: _Node(
        lambda node: (node.values(), list(node)),
        lambda children, keys: dict(zip(keys, children, strict=True)),
    ),
    OrderedDict: _Node(
        lambda node: (node.values(), list(node)),
        lambda children, keys: OrderedDict(zip(keys, children, strict=True)),
    ),
    defaultdict: _Node(
        lambda node: (node.values(), [node.default_factory, list(node)]),
        lambda children, context: defaultdict(context[0], zip(context[1], children, strict=True)),
    ),
    deque: _Node(lambda node: (node, node.maxlen), lambda children, maxlen: deque(children, maxlen)),
}
_BUILTIN = frozenset(_NODES)
_DICTS = frozenset({dict, OrderedDict, defaultdict})


def register_pytree_node(
    cls: type[Any],
    flatten_fn: FlattenFn,
    unflatten_fn: UnflattenFn,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable[[Any], Any] | None = None,
    from_dumpable_context: Callable[[Any], Any] | None = None,
    flatten_with_keys_fn: Callable[[Any], Any] | None = None,
) -> None:
    """Return nothing; from now on treat instances of exactly ``cls`` as containers.

    Args:
        cls: the type; ``ValueError`` if it is registered already.
        flatten_fn: takes an instance, gives its children and a context that can be compared.
        unflatten_fn: takes the children as a list, and the context; gives the instance.
        serialized_type_name: accepted, not used: specs are not serialised and leaves have no key paths here. The same
            goes for the three that follow.
        to_dumpable_context: not used.
        from_dumpable_context: not used.
        flatten_with_keys_fn: not used.

    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> register_pytree_node(Interval, lambda i: ((i.low, i.high), None), lambda ends, _: Interval(*ends))
    >>> tree_leaves([Interval(2, 5), 7])
    [2, 5, 7]
    """
    node = _Node(flatten_fn, unflatten_fn)
    if _NODES.setdefault(cls, node) is not node:
        raise ValueError(f"{cls} is already registered as pytree node.")


def _kind(tree: PyTree) -> Any:
    """Return the key under which the type of ``tree`` would be registered."""
    cls = type(tree)
    if issubclass(cls, tuple) and cls is not tuple and _is_namedtuple_class(cls):
        return namedtuple
    return cls


def _is_namedtuple_class(cls: type[Any]) -> bool:
    """Return whether a class of tuples was made by ``namedtuple`` or ``NamedTuple``, or derives from such a one."""
    fields = getattr(cls, "_fields", None)
    return isinstance(fields, tuple) and all(type(field) is str for field in fields) and hasattr(cls, "_make")


# --- structure ---
class TreeSpec:
    """The structure of a tree without its leaves; equal for equal structures, and a key for dicts.

    ``type`` is None for a leaf. Made by ``tree_flatten`` and ``tree_structure``.
    """

    __slots__ = ("_children", "context", "num_leaves", "type")

    def __init__(self, type: Any, context: Any, _children: tuple[TreeSpec, ...], num_leaves: int) -> None:
        self.type = type
        self.context = context
        self._children = _children
        self.num_leaves = num_leaves

    def __eq__(self, other: object) -> bool:
        """Return whether another structure is the same."""
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (self.type, self.context, self._children) == (other.type, other.context, other._children)

    def __hash__(self) -> int:
        """Return a hash that leaves the context out, which need not be hashable."""
        return hash((self.type, self._children))

    def __repr__(self) -> str:
        """Return PyTorch's form: ``TreeSpec(list, None, [*])`` with one child a line."""
        return self._write(0)

    def _write(self, indent: int) -> str:
        if self.type is None:
            return "*"
        separator = ",\n" + " " * (indent + 2)
        children = separator.join(child._write(indent + 2) for child in self._children)
        return f"TreeSpec({self.type.__name__}, {self.context}, [{children}])"

    @property
    def num_children(self) -> int:
        """How many entries the outermost container has."""
        return len(self._children)

    @property
    def num_nodes(self) -> int:
        """How many containers and leaves there are together."""
        return 1 + sum(child.num_nodes for child in self._children)

    def is_leaf(self) -> bool:
        """Return whether this is the structure of a lone leaf."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """Return the structures of the entries."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """Return the structure of one entry."""
        return self._children[index]

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """Return the tree of this structure with these leaves; ``ValueError`` when there are more or fewer."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree "
                f"that holds {self.num_leaves} items ({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> PyTree:
        if self.type is None:
            return next(leaves)
        return _NODES[self.type].unflatten([child._build(leaves) for child in self._children], self.context)

    def flatten_up_to(self, tree: PyTree) -> list[PyTree]:
        """Return what stands in ``tree`` where this structure has leaves; ``ValueError`` where the two differ.

        The three kinds of dict stand in for each other when their keys are the same, in whichever order.
        """
        found: list[PyTree] = []
        self._collect(tree, found)
        return found

    def _collect(self, tree: PyTree, found: list[PyTree]) -> None:
        if self.type is None:
            found.append(tree)
            return
        for child, entry in zip(self._children, self._match(tree), strict=True):
            child._collect(entry, found)

    def _match(self, tree: PyTree) -> Iterable[PyTree]:
        """Return the entries of a container that agrees with the outermost one of this structure."""
        kind = _kind(tree)
        is_dict = kind in _DICTS and self.type in _DICTS
        is_builtin = self.type in _BUILTIN
        if kind is not self.type and not is_dict:
            what = "Node type" if is_builtin else "Type"
            raise ValueError(f"{what} mismatch; expected {self.type!r}, but got {kind!r}.")
        entries, context = _NODES[kind].flatten(tree)
        entries = list(entries)
        if len(entries) != self.num_children:
            raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(entries)}.")
        if is_dict:
            return self._match_keys(tree)
        if context != self.context and kind is not deque:
            if is_builtin:
                raise ValueError(
                    f"Node context mismatch for node type {self.type!r}; "
                    f"expected {self.context!r}, but got {context!r}."
                )
            raise ValueError(f"Node context mismatch for custom node type {self.type!r}.")
        return entries

    def _match_keys(self, tree: dict[Any, PyTree]) -> list[PyTree]:
        """Return the values of a dict in the order of this structure's keys."""
        keys = self.context[1] if self.type is defaultdict else self.context
        missing, extra = set(keys).difference(tree), set(tree).difference(keys)
        if missing or extra:
            problem = f"; missing key(s): {missing}" if missing else ""
            problem += f"; extra key(s): {extra}" if extra else ""
            raise ValueError(f"Node keys mismatch{problem}.")
        return [tree[key] for key in keys]


_LEAF = TreeSpec(None, None, (), 1)


# --- trees ---
def tree_flatten(tree: PyTree, is_leaf: IsLeaf | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves from left to right, and the structure.

    ``is_leaf`` may declare a container to be a leaf; it is asked about every node.

    >>> tree_flatten({"b": [1, 2], "a": None})[0]
    [1, 2, None]
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: PyTree, leaves: list[Any], is_leaf: IsLeaf | None) -> TreeSpec:
    """Return the structure of ``tree``, its leaves appended to ``leaves``."""
    kind = _kind(tree)
    node = _NODES.get(kind)
    if node is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return _LEAF
    before = len(leaves)
    entries, context = node.flatten(tree)
    children = tuple([_flatten(entry, leaves, is_leaf) for entry in entries])
    return TreeSpec(kind, context, children, len(leaves) - before)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """Return the tree of that structure with these leaves.

    >>> leaves, spec = tree_flatten({"b": [1, 2], "a": None})
    >>> tree_unflatten("xyz", spec)
    {'b': ['x', 'y'], 'a': 'z'}
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
    return treespec.unflatten(leaves)


def tree_leaves(tree: PyTree, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves from left to right.

    >>> tree_leaves((1, {"x": [2]}, None))
    [1, 2, None]
    """
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: PyTree, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """Return the structure alone.

    >>> tree_structure([1, 2]) == tree_structure([3, 4]) != tree_structure((1, 2))
    True
    """
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``tree`` is no container.

    >>> tree_is_leaf(None), tree_is_leaf([])
    (True, False)
    """
    return _kind(tree) not in _NODES or (is_leaf is not None and is_leaf(tree))


def tree_map(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf | None = None) -> PyTree:
    """Return a tree of the same structure with ``func(leaf, ...)`` for each leaf.

    The other trees give the further arguments: each goes at least as deep as the first one.

    >>> tree_map(lambda x, y: (x, y), {"a": 1, "b": [2]}, {"b": [[3, 4]], "a": 5})
    {'a': (1, 5), 'b': [(2, [3, 4])]}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *[spec.flatten_up_to(rest) for rest in rests]))


def tree_map_only(
    type_or_types_or_pred: type[Any] | tuple[type[Any], ...] | UnionType | Callable[[Any], bool],
    /,
    func: Callable[[Any], Any],
    tree: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """Return a tree in which the leaves of these types, or for which the predicate holds, are replaced.

    >>> tree_map_only(int, lambda n: n + 1, [1, "one", (2.0, 2)])
    [2, 'one', (2.0, 3)]
    """
    chosen = type_or_types_or_pred
    if isinstance(chosen, (type, tuple, UnionType)):
        return tree_map(lambda leaf: func(leaf) if isinstance(leaf, chosen) else leaf, tree, is_leaf=is_leaf)
    if callable(chosen):
        return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)
    raise TypeError("Argument must be a type, a tuple of types, or a callable.")
