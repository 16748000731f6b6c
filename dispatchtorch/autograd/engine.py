"""The engine: gradients flow from outputs to leaves, nodes in decreasing sequence number.

A node's number is larger than those of all nodes it points to, so when a node is the largest waiting one, everything
that
it will ever receive has arrived. Leaves have no number: what arrives at one is added up, and it is finished when
nothing
waits any more, or, where somebody is told about it by a hook, as soon as nothing can arrive any more.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.autograd.callbacks import call_hooks, call_post_hooks, call_pre_hooks, run_checked
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import FREED, Node
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Parameter, Tensor, extra_of, wrap

__all__ = ["current_walk", "is_whole_walk", "run", "will_run", "zeros"]

_HELD: Final = (
    3  # references to a gradient that only the engine holds: its slot's, the caller's, getrefcount's argument
)
_LARGE: Final = 4096  # elements from which new memory costs more than a few looks
_HELD_ARRAY: Final = 2  # the same for its array: the gradient's, getrefcount's argument


def run(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *,
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor] | None = None,
    accumulate: bool = True,
) -> list[Tensor | None]:
    """Returns the gradients of ``inputs`` (for `grad`), or adds gradients to the leaves' ``.grad`` (for `backward`).

    ``inputs`` given with ``accumulate``: only those leaves get a gradient.
    """
    heap: list[int] = []
    waiting: dict[int, list[Any]] = {}  # -seq -> [node, gradient, or list of those of several outputs, see `_add_up`]
    leaves: dict[int, list[Any]] = {}  # id -> [leaf, what arrived so far, see `_add_up`]
    watched: list[int] = []  # of the leaves, those with hooks
    scope = None if inputs is None else _Scope(roots, inputs, accumulate)
    g: Any
    grads: Any
    before, outer = modes.grad, _current.walk
    modes.grad = modes.recording if create_graph else False
    _current.walk = (next_walk(), roots, scope)
    try:
        for root, g in zip(roots, gradients, strict=True):
            edge = root._edge
            if type(edge) is Node and edge.keys is None and not heap and g._a.shape == edge.shape:
                waiting[-edge.seq] = [edge, g, False]
                heap.append(-edge.seq)
            else:
                _send(edge or root, g, heap, waiting, leaves, watched, None, 0)
        while heap:
            node, g, _ = waiting.pop(heappop(heap))
            while True:  # runs the node; goes round again where the next one is known without the heap
                edges = node.edges
                if scope is not None and not scope.visits(node, g):
                    break
                if type(node) is Node and not node.special:
                    op = node.op
                    grads = op.derive(node, g)
                    if not retain_graph and op.keeps:  # what `release` does
                        node.saved = FREED
                        if op.saves_out:
                            node.out = None
                else:
                    grads = _run_special(node, g, retain_graph)
                g = ahead = None
                for edge, got in zip(edges, grads):
                    if edge is None or got is None:
                        continue
                    kind = type(edge)
                    if kind is Node and edge.keys is None:  # the common cases, without a call
                        if got._a.shape != edge.shape:
                            got = _fit(got, edge.shape, node, edge)
                        if ahead is None and not heap:
                            ahead, g = edge, got
                        elif edge is ahead:
                            g = g + got
                        else:
                            place = -edge.seq
                            slot = waiting.get(place)
                            if slot is None:
                                waiting[place] = [edge, got, False]
                                heappush(heap, place)
                            elif slot[2]:
                                _add_up(slot, got)
                            else:
                                slot[1], slot[2] = slot[1] + got, True
                    elif kind is Parameter or kind is Tensor:
                        if got._a.shape != edge._a.shape:
                            got = _fit(got, edge._a.shape, node, edge)
                        slot = leaves.get(id(edge))
                        if slot is not None:
                            if slot[2]:
                                _add_up(slot, got)
                            else:
                                slot[1], slot[2] = slot[1] + got, True
                        else:
                            leaves[id(edge)] = [edge, got, False]
                            if (extra := edge._extra) is not None and (extra.hooks or extra.post_hooks):
                                watched.append(id(edge))
                    else:
                        _send(edge, got, heap, waiting, leaves, watched, node, edge)
                got = grads = None
                if ahead is not None and (heap or watched):
                    waiting[-ahead.seq] = [ahead, g, False]
                    heappush(heap, -ahead.seq)
                    ahead = None
                if watched:
                    _finish_early(watched, waiting, leaves, scope)
                if ahead is None:
                    break
                node = ahead
        for slot in leaves.values():
            _finish(slot, scope)
    finally:
        modes.grad = before
        _current.walk = outer
    return [] if scope is None else scope.captured


class _Current(threading.local):
    """The walk that this thread is in, for hooks that ask how far it goes."""

    walk: Any = None


_current: Final = _Current()
next_walk: Final = itertools.count(1).__next__


def will_run(tensors: Sequence[Tensor]) -> tuple[Any, list[bool]]:
    """Returns a value that names the walk this is called in, and whether each tensor's gradient is computed there.

    RuntimeError outside of a walk.
    """
    walk = _current.walk
    if walk is None:
        raise RuntimeError("expected this hook to be called inside a backward call")
    if not tensors:
        return walk[0], []
    number, roots, scope = walk
    nodes = _below([r._edge[0] if type(r._edge) is tuple else r._edge for r in roots if r._edge is not None])
    if scope is None:
        reached = {id(n) for n in nodes}
        reached |= {id(e) for n in nodes for e in n.edges if isinstance(e, Tensor)}
        reached |= {id(r) for r in roots if r._edge is None}
    else:
        reached = scope.useful | {at if isinstance(at, int) else at[0] for at in scope.targets}
    places = [_place(t) for t in tensors]
    return number, [(at if isinstance(at, int) else at[0]) in reached for at in places]


def current_walk() -> int | None:
    """Returns the number of the walk this is called in; None outside of one."""
    walk = _current.walk
    return None if walk is None else walk[0]


def is_whole_walk() -> bool:
    """Returns whether the walk this is called in is for all leaves, not for inputs that were named."""
    walk = _current.walk
    return walk is None or walk[2] is None


def _run_special(node: Any, g: Any, retain_graph: bool) -> Any:
    """Returns a node's gradients: one with hooks, several outputs, or code of its own."""
    g = _prepared(node, g)
    if g is None and node.keys is None:  # a hook has taken the gradient away
        return [None] * len(node.edges)
    grads = node.run(g) if node.where is None else run_checked(node, g)
    if node.post_hooks:
        grads = call_post_hooks(node, grads, g)
    if not retain_graph:
        node.release()
    return grads


class _Scope:
    """What a run with ``inputs`` is for: which nodes lead to them, and the gradients found so far."""

    def __init__(self, roots: Sequence[Tensor], inputs: Sequence[Tensor], accumulate: bool) -> None:
        self.accumulate = accumulate
        self.targets = {_place(t): i for i, t in enumerate(inputs)}
        self.captured: list[Tensor | None] = [None] * len(inputs)
        self.useful = _reaching(roots, set(self.targets))

    def visits(self, node: Any, g: Any) -> bool:
        """Returns whether the node has to run; keeps what is wanted of the gradients that arrived at it."""
        useful = id(node) in self.useful
        if not useful:
            g = _hooked(node, g)  # as PyTorch has it: a node that ends the way shows what its hooks made of it
        if self.accumulate:
            return useful
        for nr in range(len(node.shape) if node.keys is not None else 1):
            at = self.targets.get((id(node), nr))
            if at is not None:
                self.captured[at] = g[nr] if node.keys is not None else g
        return useful


def _place(t: Tensor) -> Any:
    edge = t._edge
    return id(t) if edge is None else (id(edge[0]), edge[1]) if type(edge) is tuple else (id(edge), 0)


def _below(nodes: Sequence[Any]) -> list[Any]:
    """Returns the nodes that can be reached, themselves included, each after all that it points to."""
    found: dict[int, Any] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if id(node) in found:
            continue
        found[id(node)] = node
        for edge in node.edges:
            if edge is not None and not isinstance(edge, Tensor):
                stack.append(edge[0] if type(edge) is tuple else edge)
    return sorted(found.values(), key=lambda n: n.seq)


def _reaching(roots: Sequence[Tensor], wanted: set[Any]) -> set[int]:
    """Returns the ids of the nodes from which some wanted place can be reached: no other node needs to run."""
    reach: set[int] = set()
    for node in _below([r._edge[0] if type(r._edge) is tuple else r._edge for r in roots if r._edge is not None]):
        for edge in node.edges:
            if edge is None:
                continue
            if isinstance(edge, Tensor):
                hit = id(edge) in wanted
            else:
                target, nr = edge if type(edge) is tuple else (edge, 0)
                hit = (id(target), nr) in wanted or id(target) in reach
            if hit:
                reach.add(id(node))
                break
    return reach


def _fit(g: Any, shape: tuple[int, ...], node: Any, edge: Any) -> Any:
    """Returns a gradient summed to the shape of what it belongs to: broadcasting undone, in one place."""
    have = tuple(g._a.shape)
    want = tuple(shape)
    if have == want:
        return g
    lead = len(have) - len(want)
    if lead < 0 or any(w not in (1, h) for h, w in zip(have[lead:], want, strict=True)):
        i = 0 if node is None else next(i for i, e in enumerate(node.edges) if e is edge)
        raise RuntimeError(
            f"Function {'grad' if node is None else node.name()} returned an invalid gradient at index {i} - got "
            f"{list(have)} but expected shape compatible with {list(want)}"
        )
    dims = tuple(range(lead)) + tuple(lead + d for d, w in enumerate(want) if w == 1 and have[lead + d] != 1)
    return g.sum(dims, True).reshape(want) if lead else g.sum(dims, True)


def _send(
    edge: Any,
    g: Any,
    heap: list[int],
    waiting: dict[int, list[Any]],
    leaves: dict[int, list[Any]],
    watched: list[int],
    source: Any,
    via: Any,
) -> None:
    """Adds a gradient to what waits for a node or a leaf: any kind of edge."""
    if isinstance(edge, Tensor):
        g = _fit(g, edge._a.shape, source, via)
        slot = leaves.get(id(edge))
        if slot is None:
            leaves[id(edge)] = [edge, g, False]
            if edge._extra is not None and (edge._extra.hooks or edge._extra.post_hooks):
                watched.append(id(edge))
        else:
            _add_up(slot, g)
        return
    node, nr = edge if type(edge) is tuple else (edge, 0)
    several = node.keys is not None
    g = _fit(g, node.shape[nr] if several else node.shape, source, via)
    slot = waiting.get(-node.seq)
    if slot is None:
        slot = waiting[-node.seq] = [node, [None] * len(node.shape) if several else None, False]
        heappush(heap, -node.seq)
    if several:
        slot[1][nr] = g if slot[1][nr] is None else slot[1][nr] + g
    elif slot[1] is None:
        slot[1] = g
    else:
        _add_up(slot, g)


def _add_up(slot: list[Any], got: Any) -> None:
    """Adds a gradient to what has arrived: in place from the third one on, since the sum of two is the engine's own."""
    g = slot[1]
    if slot[2] and g._a.size > _LARGE and g._key is got._key and g._key.simple and not modes.grad and type(g) is Tensor:
        g += got
        g._cell = None  # nobody has seen it, so there is no version to remember
    else:
        slot[1] = g + got
        slot[2] = True


# --- leaves ----------------------------------------------------------------------------------------------------------


def _finish_early(watched: list[int], waiting: dict[int, list[Any]], leaves: dict[int, list[Any]], scope: Any) -> None:
    """Finishes the watched leaves at which nothing can arrive any more."""
    to_come = {id(e) for n in _below([slot[0] for slot in waiting.values()]) for e in n.edges if isinstance(e, Tensor)}
    for place in [w for w in watched if w not in to_come]:
        watched.remove(place)
        _finish(leaves.pop(place), scope)


def _finish(slot: list[Any], scope: _Scope | None) -> None:
    """Adds what arrived to a leaf's gradient, or to what `grad` is going to return for it."""
    leaf, g, _ = slot
    key, extra = g._key, leaf._extra
    plain = scope is None and extra is not None and extra.grad is None and not extra.hooks and not extra.post_hooks
    if plain and key.dtype is leaf._key.dtype and not key.requires and g._cell is None and not modes.grad:
        a = g._a  # nearly always: what `_is_ours` asks, without a call
        mine = not key.native or (sys.getrefcount(a) <= _HELD and getattr(a, "base", None) is None)
        if mine and sys.getrefcount(g) <= _HELD:
            extra.grad = g
            return
        del a
    if key.dtype is not leaf._key.dtype:
        g = g.to(leaf._key.dtype)
    if extra is None:
        extra = extra_of(leaf)
    elif extra.hooks:
        g = call_hooks(extra.hooks, g)
    if scope is not None:
        at = scope.targets.get(id(leaf))
        if at is None:
            return
        if not scope.accumulate:
            scope.captured[at] = g
            return
    old = extra.grad
    if modes.grad:
        extra.grad = (g if _is_ours(slot, g) else g.clone()) if old is None else old + g
    elif old is None:
        # a gradient that nobody else can see becomes .grad itself; any other one is copied
        if not _is_ours(slot, g):
            g = g.clone()
        extra.grad = g.detach() if g._key.requires else g
    elif type(old) is SparseTensor and type(g) is not SparseTensor:
        extra.grad = old + g  # dense from now on
    else:
        old.add_(g)
    if extra.post_hooks:
        for hook in list(extra.post_hooks.values()):
            if hook(leaf) is not None:
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")


def _is_ours(slot: list[Any], g: Tensor) -> bool:
    """Returns whether neither the gradient nor its memory can be seen by anybody else."""
    held = _HELD + (2 if slot[1] is g else 0)
    if g._cell is not None or sys.getrefcount(g) > held:
        return False
    a = g._a
    return not g._key.native or (sys.getrefcount(a) <= _HELD_ARRAY + 1 and getattr(a, "base", None) is None)


# --- nodes with more than a derivative -------------------------------------------------------------------------------


def _prepared(node: Any, g: Any) -> Any:
    """Returns what a node is run with: after the hooks, and complete where it has several outputs."""
    if node.tensor_hooks or node.retains:
        g = _hooked(node, g)
    if node.pre_hooks:
        g = call_pre_hooks(node, g)
    return g if node.keys is None else _filled(node, g)


def _hooked(node: Any, g: Any) -> Any:
    several = node.keys is not None
    for nr in sorted({*(node.tensor_hooks or ()), *(node.retains or ())}):
        one = g[nr] if several else g
        if one is None:
            continue
        hooks = (node.tensor_hooks or {}).get(nr)
        if hooks:
            one = call_hooks(hooks, one)
        keeper = (node.retains or {}).get(nr)
        kept = keeper() if keeper is not None else None
        if kept is not None:
            extra = extra_of(kept)
            extra.grad = one.clone() if extra.grad is None else extra.grad + one
        if several:
            g[nr] = one
        else:
            g = one
    return g


def _filled(node: Any, gs: list[Any]) -> Sequence[Any]:
    """Returns the gradients of all outputs of a node, zeros where nothing arrived, unless it wants None."""
    if not node.materialize:
        return tuple(gs)
    arriving = _Arriving(gs, node.shape, node.keys)
    return arriving if type(node) is Node and not node.post_hooks else tuple(arriving)


class _Arriving(Sequence[Any]):
    """The gradients of a node's outputs; zeros are made when they are named, and few derivatives name them."""

    __slots__ = ("given", "keys", "shapes")

    def __init__(self, given: list[Any], shapes: Sequence[Any], keys: Sequence[Any]) -> None:
        self.given, self.shapes, self.keys = given, shapes, keys

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple([self[i] for i in range(*place.indices(len(self.given)))])
        g = self.given[place]
        if g is None and self.keys[place].dtype.category >= FLOATING:
            g = self.given[place] = zeros(self.shapes[place], self.keys[place])
        return g


def zeros(shape: tuple[int, ...], key: Any) -> Tensor:
    """Returns zeros of a shape, with a key's backend, device and dtype."""
    xp = key.backend.namespace
    raw = xp.zeros(tuple(shape), dtype=key.backend.dtype(key.dtype.name))
    return wrap(raw, intern_key(key.backend, key.device, key.dtype, not shape))
