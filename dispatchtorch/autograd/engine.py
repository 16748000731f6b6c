"""The engine: gradients flow from outputs to leaves, nodes in decreasing sequence number.

A node's number is larger than those of all nodes it points to, so when a node is the largest waiting one, everything that
it will ever receive has arrived.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, extra_of, wrap

__all__ = ["run"]

_MINE = 3  # references to a gradient that only the engine holds: the caller's, the parameter, getrefcount's argument


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
    waiting: dict[int, list[Any]] = {}  # -seq -> [node, gradient or list of gradients]
    targets = None if inputs is None else {_place(t): i for i, t in enumerate(inputs)}
    captured: list[Tensor | None] = [None] * (0 if inputs is None else len(inputs))
    useful = None if inputs is None else _reaching(roots, inputs)
    before = modes.grad
    modes.grad = create_graph
    try:
        for root, g in zip(roots, gradients, strict=True):
            _send(root._edge or root, g, heap, waiting, targets, captured, accumulate)
        while heap:
            node, g = waiting.pop(heappop(heap))
            if node.tensor_hooks or node.retains:
                g = _tensor_hooks(node, g)
            if targets is not None:
                _capture(node, g, targets, captured)
                if useful is not None and id(node) not in useful:
                    continue
            if node.pre_hooks:
                g = _pre_hooks(node, g)
            if node.keys is not None:
                g = _filled(node, g)
            if node.where is None:
                grads = node.run(g)
            else:
                grads = _run_checked(node, g)
            if node.post_hooks:
                grads = _post_hooks(node, grads, g)
            if not retain_graph:
                node.release()
            del g
            edges = node.edges
            for i, edge in enumerate(edges):
                if edge is None:
                    continue
                got = grads[i]
                if got is None:
                    continue
                if type(edge) is Node and edge.keys is None:  # the common case, without a call
                    if got._a.shape != edge.shape:
                        got = _fit(got, edge.shape, node, i)
                    slot = waiting.get(-edge.seq)
                    if slot is None:
                        waiting[-edge.seq] = [edge, got]
                        heappush(heap, -edge.seq)
                    else:
                        slot[1] = slot[1] + got
                else:
                    if type(grads) is list:
                        grads[i] = None  # a gradient that only we hold may become .grad itself
                    _send(edge, got, heap, waiting, targets, captured, accumulate, node, i)
                got = None
    finally:
        modes.grad = before
    return captured


def _place(t: Tensor) -> Any:
    edge = t._edge
    return ("leaf", id(t)) if edge is None else (id(edge[0]), edge[1]) if type(edge) is tuple else (id(edge), 0)


def _reaching(roots: Sequence[Tensor], inputs: Sequence[Tensor]) -> set[int]:
    """Returns the ids of the nodes from which some input can be reached: no other node needs to run."""
    nodes: dict[int, Any] = {}
    stack = [r._edge[0] if type(r._edge) is tuple else r._edge for r in roots if r._edge is not None]
    while stack:
        node = stack.pop()
        if id(node) in nodes:
            continue
        nodes[id(node)] = node
        for edge in node.edges:
            if edge is not None and not isinstance(edge, Tensor):
                stack.append(edge[0] if type(edge) is tuple else edge)
    wanted = {_place(t) for t in inputs}
    reach: set[int] = set()
    for node in sorted(nodes.values(), key=lambda n: n.seq):
        for edge in node.edges:
            if edge is None:
                continue
            if isinstance(edge, Tensor):
                hit = ("leaf", id(edge)) in wanted
            else:
                target, nr = edge if type(edge) is tuple else (edge, 0)
                hit = (id(target), nr) in wanted or id(target) in reach
            if hit:
                reach.add(id(node))
                break
    return reach


def _fit(g: Tensor, shape: tuple[int, ...], node: Any, i: int) -> Tensor:
    """Returns a gradient summed to the shape of what it belongs to: broadcasting undone, in one place."""
    have = tuple(g._a.shape)
    want = tuple(shape)
    if have == want:
        return g
    lead = len(have) - len(want)
    if lead < 0 or any(w not in (1, h) for h, w in zip(have[lead:], want, strict=True)):
        raise RuntimeError(
            f"Function {'grad' if node is None else node.name()} returned an invalid gradient at index {i} - got "
            f"{list(have)} but expected shape compatible with {list(want)}"
        )
    dims = tuple(range(lead)) + tuple(lead + d for d, w in enumerate(want) if w == 1 and have[lead + d] != 1)
    return g.sum(dims, True).reshape(want) if lead else g.sum(dims, True)


def _send(
    edge: Any,
    g: Tensor,
    heap: list[int],
    waiting: dict[int, list[Any]],
    targets: dict[Any, int] | None,
    captured: list[Tensor | None],
    accumulate: bool,
    source: Any = None,
    index: int = 0,
) -> None:
    if isinstance(edge, Tensor):
        _arrive(edge, g, targets, captured, accumulate, source, index)
        return
    node, nr = edge if type(edge) is tuple else (edge, 0)
    several = node.keys is not None
    g = _fit(g, node.shape[nr] if several else node.shape, source, index)
    place = -node.seq
    slot = waiting.get(place)
    if slot is None:
        slot = waiting[place] = [node, [None] * len(node.shape) if several else None]
        heappush(heap, place)
    if several:
        slot[1][nr] = g if slot[1][nr] is None else slot[1][nr] + g
    else:
        slot[1] = g if slot[1] is None else slot[1] + g


def _arrive(
    leaf: Tensor,
    g: Tensor,
    targets: dict[Any, int] | None,
    captured: list[Tensor | None],
    accumulate: bool,
    source: Any,
    index: int,
) -> None:
    """Adds a gradient to a leaf, or to what `grad` is going to return for it."""
    if g._a.shape != leaf._a.shape:
        g = _fit(g, leaf._a.shape, source, index)
    if g._key.dtype is not leaf._key.dtype:
        g = g.to(leaf._key.dtype)
    extra = extra_of(leaf)
    if extra.hooks:
        g = _call_hooks(extra.hooks, g)
    if targets is not None:
        at = targets.get(("leaf", id(leaf)))
        if at is None:
            return
        if not accumulate:
            held = captured[at]
            captured[at] = g if held is None else held + g
            return
    old = extra.grad
    if old is None:
        # a gradient that nobody else can see becomes .grad itself; any other one is copied
        mine = g._cell is None and g._edge is None and sys.getrefcount(g) <= _MINE + 1 and sys.getrefcount(g._a) <= 2
        extra.grad = g if mine or modes.grad else g.clone()
        if not modes.grad and extra.grad._key.requires:
            extra.grad = extra.grad.detach()
    elif modes.grad:
        extra.grad = old + g
    else:
        old.add_(g)
    if extra.post_hooks:
        for hook in list(extra.post_hooks.values()):
            hook(leaf)


def _call_hooks(hooks: dict[int, Any], g: Tensor) -> Tensor:
    for hook in list(hooks.values()):
        got = hook(g)
        if got is not None:
            g = got
    return g


def _tensor_hooks(node: Any, g: Any) -> Any:
    several = node.keys is not None
    for nr in sorted({*(node.tensor_hooks or ()), *(node.retains or ())}):
        one = g[nr] if several else g
        if one is None:
            continue
        hooks = (node.tensor_hooks or {}).get(nr)
        if hooks:
            one = _call_hooks(hooks, one)
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


def _capture(node: Any, g: Any, targets: dict[Any, int], captured: list[Tensor | None]) -> None:
    for nr in range(len(node.shape) if node.keys is not None else 1):
        at = targets.get((id(node), nr))
        if at is not None:
            captured[at] = g[nr] if node.keys is not None else g


def _filled(node: Any, gs: list[Any]) -> tuple[Any, ...]:
    """Returns the gradients of all outputs of a node, zeros where nothing arrived."""
    return tuple(
        zeros(node.shape[i], key) if g is None and key.dtype.category >= FLOATING else g
        for i, (g, key) in enumerate(zip(gs, node.keys, strict=True))
    )


def zeros(shape: tuple[int, ...], key: Any) -> Tensor:
    """Returns zeros of a shape, with a key's backend, device and dtype."""
    xp = key.backend.namespace
    raw = xp.zeros(tuple(shape), dtype=key.backend.dtype(key.dtype.name))
    return wrap(raw, intern_key(key.backend, key.device, key.dtype, not shape))


def _pre_hooks(node: Any, g: Any) -> Any:
    given = tuple(g) if node.keys is not None else (g,)
    for hook in list(node.pre_hooks.values()):
        got = hook(given)
        if got is not None:
            given = (got,) if isinstance(got, Tensor) else tuple(got)
    return list(given) if node.keys is not None else given[0]


def _post_hooks(node: Any, grads: Any, g: Any) -> Any:
    given = tuple(grads)
    outs = tuple(g) if node.keys is not None else (g,)
    for hook in list(node.post_hooks.values()):
        got = hook(given, outs)
        if got is not None:
            given = (got,) if isinstance(got, Tensor) else tuple(got)
    return list(given)


def _run_checked(node: Any, g: Any) -> Any:
    """Runs a node in anomaly mode: an error or a nan names the forward call."""
    try:
        grads = node.run(g)
    except Exception:
        _blame(node)
        raise
    for i, got in enumerate(grads):
        if modes.check_nan and isinstance(got, Tensor) and bool((got != got).any()):
            _blame(node)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")
    return grads


def _blame(node: Any) -> None:
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{node.where}", stacklevel=2
    )
