"""Trees: leaves and structure round-trip, mismatches are named in PyTorch's words."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any, NamedTuple

import pytest

from dispatchtorch._base import pytree

Point = namedtuple("Point", "x y")


class Typed(NamedTuple):
    loss: Any
    logits: Any = None


class Derived(Point):
    """A subclass of a namedtuple is put together as itself."""


class Stack(list):  # type: ignore[type-arg]  # what it holds does not matter
    """A subclass of list is no container."""


class Box:
    def __init__(self, content: Any, name: Any = None) -> None:
        self.content, self.name = content, name


pytree.register_pytree_node(Box, lambda box: ([box.content], box.name), lambda parts, name: Box(parts[0], name))


@pytest.mark.parametrize(
    ("tree", "leaves"),
    [
        (3, [3]),
        (None, [None]),
        ("text", ["text"]),
        ([], []),
        ((), []),
        ({}, []),
        ([1, [2, []], (3,)], [1, 2, 3]),
        ((1, None), [1, None]),
        ({"b": 1, "a": {"z": 2}}, [1, 2]),
        ({1: 2, "a": 3}, [2, 3]),
        (OrderedDict(b=1, a=[2, 3]), [1, 2, 3]),
        (defaultdict(int, z=1, y=2), [1, 2]),
        (deque([1, (2,)], maxlen=3), [1, 2]),
        (Point(1, [2]), [1, 2]),
        (Typed(1), [1, None]),
        (Derived(1, 2), [1, 2]),
    ],
)
def test_round_trip(tree: Any, leaves: list[Any]) -> None:
    found, spec = pytree.tree_flatten(tree)
    assert found == leaves == pytree.tree_leaves(tree)
    assert (spec.num_leaves, spec) == (len(leaves), pytree.tree_structure(tree))
    again = pytree.tree_unflatten(iter(found), spec)
    assert again == tree
    assert type(again) is type(tree)


def test_what_comes_back_is_new_and_complete() -> None:
    tree = {"d": defaultdict(int, a=1), "q": deque([1], maxlen=2), "l": [1]}
    again = pytree.tree_map(lambda leaf: leaf, tree)
    assert again["d"].default_factory is int
    assert again["q"].maxlen == 2
    assert again["l"] is not tree["l"]


def test_order_of_keys_is_kept() -> None:
    assert list(pytree.tree_map(str, {"b": 1, "a": 2})) == ["b", "a"]
    assert pytree.tree_structure({"b": 1, "a": 2}) != pytree.tree_structure({"a": 1, "b": 2})


def test_subclasses_of_containers_are_leaves() -> None:
    stack = Stack([1])
    assert pytree.tree_leaves([stack]) == [stack]
    assert pytree.tree_is_leaf(stack)
    assert not pytree.tree_is_leaf([stack])


def test_is_leaf_stops_the_descent() -> None:
    def is_short(node: Any) -> bool:
        return isinstance(node, list) and len(node) == 1

    assert pytree.tree_leaves([1, [2], [3, 4]], is_leaf=is_short) == [1, [2], 3, 4]
    assert pytree.tree_map(lambda leaf: 0, [1, [2]], is_leaf=is_short) == [0, 0]
    assert pytree.tree_is_leaf([1], is_leaf=is_short)


def test_registered_types() -> None:
    out = pytree.tree_map(lambda n: n + 1, [Box((1, 2), "n")])
    assert (type(out[0]), out[0].content, out[0].name) == (Box, (2, 3), "n")
    assert pytree.tree_map(lambda a, b: a * b, Box(2), Box(5)).content == 10


@pytest.mark.parametrize("cls", [Box, list, dict])
def test_registering_twice_is_refused(cls: type) -> None:
    with pytest.raises(ValueError, match=f"^{cls} is already registered as pytree node.$"):
        pytree.register_pytree_node(cls, lambda _: ([], None), lambda *_: None)
    assert pytree.tree_leaves([[1], Box(2)]) == [1, 2]


def test_spec_is_a_key() -> None:
    cache = {pytree.tree_structure([1, {"a": 2}]): "hit"}
    assert cache[pytree.tree_structure([3, {"a": 4}])] == "hit"
    for other in ([1, {"b": 2}], (1, {"a": 2}), [1, {"a": [2]}], [1, Point(1, 2)]):
        assert pytree.tree_structure(other) not in cache
    assert pytree.tree_structure(Point(1, 2)) != pytree.tree_structure(Derived(1, 2))
    one: Any = 1
    assert pytree.tree_structure(one) != one


def test_spec_describes_itself() -> None:
    spec = pytree.tree_structure([1, {"b": 2, "a": (3,)}])
    assert (
        repr(spec) == "TreeSpec(list, None, [*,\n  TreeSpec(dict, ['b', 'a'], [*,\n    TreeSpec(tuple, None, [*])])])"
    )
    assert (spec.num_leaves, spec.num_children, spec.num_nodes) == (3, 2, 6)
    assert [child.is_leaf() for child in spec.children()] == [True, False]
    assert spec.child(1).type is dict
    assert repr(pytree.tree_structure(0)) == "*"


def test_further_trees_may_go_deeper() -> None:
    assert pytree.tree_map(lambda a, b, c: (a, b, c), [1, 2], [3, [4]], [5, None]) == [(1, 3, 5), (2, [4], None)]


def test_dicts_stand_in_for_each_other() -> None:
    assert pytree.tree_map(lambda a, b: a + b, {"a": 1, "b": 2}, OrderedDict(b=20, a=10)) == {"a": 11, "b": 22}
    out = pytree.tree_map(lambda a, b: a + b, defaultdict(int, a=1), {"a": 10})
    assert (type(out), out) == (defaultdict, {"a": 11})


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1, 2], [3], "Node arity mismatch; expected 2, but got 1."),
        ([1, 2], (3, 4), "Node type mismatch; expected <class 'list'>, but got <class 'tuple'>."),
        ([1], 5, "Node type mismatch; expected <class 'list'>, but got <class 'int'>."),
        ({"a": 1}, {"b": 3}, "Node keys mismatch; missing key(s): {'a'}; extra key(s): {'b'}."),
        ({"a": 1}, {}, "Node arity mismatch; expected 1, but got 0."),
        (Box(1), [1], f"Type mismatch; expected {Box!r}, but got <class 'list'>."),
        (Box(1, "n"), Box(1, "m"), f"Node context mismatch for custom node type {Box!r}."),
        (
            Point(1, 2),
            Typed(1, 2),
            f"Node context mismatch for node type {namedtuple!r}; expected {Point!r}, but got {Typed!r}.",
        ),
    ],
)
def test_mismatches_are_named(first: Any, second: Any, message: str) -> None:
    with pytest.raises(ValueError, match="mismatch") as caught:
        pytree.tree_map(lambda a, b: None, first, second)
    assert str(caught.value) == message


def test_maxlen_of_deques_may_differ() -> None:
    assert pytree.tree_map(lambda a, b: a + b, deque([1], 2), deque([3])) == deque([4])


@pytest.mark.parametrize("leaves", [[1], [1, 2, 3]])
def test_wrong_number_of_leaves(leaves: list[int]) -> None:
    spec = pytree.tree_structure([1, 2])
    with pytest.raises(ValueError, match="spec refers to") as caught:
        pytree.tree_unflatten(leaves, spec)
    assert str(caught.value) == (
        f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that holds "
        "2 items (TreeSpec(list, None, [*,\n  *]))."
    )


def test_unflatten_wants_a_spec() -> None:
    with pytest.raises(TypeError, match="instance of PyTreeSpec but got item of type <class 'int'>"):
        pytree.tree_unflatten([1], 3)  # type: ignore[arg-type]  # the mistake under test


def test_map_only() -> None:
    tree = [1, "a", (2.0, None)]
    assert pytree.tree_map_only(int, lambda n: -n, tree) == [-1, "a", (2.0, None)]
    assert pytree.tree_map_only((int, float), lambda n: -n, tree) == [-1, "a", (-2.0, None)]
    assert pytree.tree_map_only(int | str, lambda n: 0, tree) == [0, 0, (2.0, None)]
    assert pytree.tree_map_only(lambda leaf: leaf is None, lambda n: 7, tree) == [1, "a", (2.0, 7)]
    with pytest.raises(TypeError, match="Argument must be a type, a tuple of types, or a callable"):
        pytree.tree_map_only(3, lambda n: n, tree)  # type: ignore[arg-type]  # the mistake under test
