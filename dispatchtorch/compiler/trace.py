"""Tracing: an ordinary function is run once on placeholders, and what it read, made and wrote becomes one program.

Nothing is analysed. State that the function reads turns up among the arrays that the library's own trace has captured;
state that it writes holds a placeholder afterwards (`Snapshot`). So parameters, gradients, optimizer state, running
statistics and whatever else a step touches become inputs and outputs without being named by anybody.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from dispatchtorch._base.dtypes import float64
from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.autograd.function import FunctionCtx
from dispatchtorch.compiler.holders import GradHolder, Holder, StorageHolder, TensorHolder
from dispatchtorch.compiler.program import Output, Program
from dispatchtorch.compiler.snapshot import Snapshot, storage_behind, tensors_alive
from dispatchtorch.dispatch.node import FREED, Node
from dispatchtorch.dispatch.tracing import Tracing, tracing
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.random.generator import default_generator
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.lens import is_contiguous
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, lens_of, read, wrap

__all__ = ["UntraceableError", "trace"]


class UntraceableError(RuntimeError):
    """The function does something that no program can repeat."""


class _Recording(Tracing):
    """What the host did during a trace, in order."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.events: list[tuple[str, Callable[[], Any], str]] = []
        self.supplied: list[Array] = []
        self.guards: list[tuple[Callable[[], Hashable], Hashable]] = []
        self._undo: list[Callable[[], None]] = []

    def supply(self, make: Callable[[], Any], backend: Backend, device: str) -> Array:
        """Returns an array that stands outside of the trace, so that the trace captures it as what it is."""
        if backend.engine is not self._backend:
            return backend.from_host(make(), device)
        with backend.aside():
            array = backend.from_host(make(), device)
        self.events.append(("supply", make, device))
        self.supplied.append(array)
        return array

    def rate(self, read: Callable[[], float], like: Tensor) -> Tensor:
        """Returns a 0-dimensional float64 tensor."""
        key = like._key
        raw = self.supply(lambda: np.asarray(read(), np.float64), key.backend, str(key.device))
        return wrap(raw, intern_key(key.backend, key.device, float64, True))

    def effect(self, owner: Any, run: Callable[[], None]) -> None:
        """Runs it, and remembers how ``owner`` was."""
        before = {name: copy.copy(value) for name, value in vars(owner).items()}
        groups = [dict(group) for group in owner.optimizer.param_groups] if hasattr(owner, "optimizer") else []

        def undo() -> None:
            vars(owner).update(before)
            for group, old in zip(owner.optimizer.param_groups if groups else (), groups, strict=True):
                group.update(old)

        self._undo.append(undo)
        self.events.append(("effect", run, ""))
        tracing.now = None
        try:
            run()
        finally:
            tracing.now = self

    def guard(self, read: Callable[[], Hashable]) -> None:
        """Notes a fact."""
        self.guards.append((read, read()))

    def undo(self) -> None:
        """Takes back what was done on the host."""
        for one in reversed(self._undo):
            one()


def trace(function: Callable[..., Any], leaves: Sequence[Any], spec: Any, backend: Backend) -> Program:
    """Returns the program of one call; everything is then as before the call. Raises what the function raises.

    ``leaves`` and ``spec`` are the flattened arguments. The caller runs the program to have the call's effects.
    """
    gc.collect()
    snapshot = Snapshot(backend)
    snapshot.forget_reads()
    recording = _Recording(backend)
    generator = default_generator.get_state()
    given = [(i, leaf) for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    found: list[Any] = []

    def staged(*placeholders: Array) -> list[Array]:
        stand_ins = list(leaves)
        for (i, leaf), placeholder in zip(given, placeholders, strict=True):
            stand_ins[i] = wrap(placeholder, leaf._key.fresh(leaf._key.zero_dim, leaf._key.requires))
        args, kwargs = tree_unflatten(stand_ins, spec)
        result = function(*args, **kwargs)
        outputs = _outputs(snapshot, result, [(i, stand_ins[i]) for i, _ in given], placeholders, backend)
        found.append(outputs)
        return [output.array for output in outputs.every if output.array is not None]

    before, tracing.now = tracing.now, recording
    try:
        traced = backend.trace(staged, [read(leaf) for _, leaf in given])
    finally:
        tracing.now = before
        versions = [(cell, cell.version - old) for cell, old in snapshot.versions.values() if cell.version != old]
        snapshot.restore()
        recording.undo()
        default_generator.set_state(generator)
    outputs = found[0]
    sources = _sources(snapshot, recording, traced.captured)
    return Program(backend, traced, [i for i, _ in given], sources, recording, outputs, versions)


def _sources(snapshot: Snapshot, recording: _Recording, captured: Sequence[Array]) -> list[Any]:
    """Returns for each captured array its holder, the number of a supplied one, or the array where it is a constant."""
    known: dict[int, Any] = {id(array): i for i, array in enumerate(recording.supplied)}
    owners = {id(grad): t for t, _, grad in snapshot.tensors.values() if grad is not None}
    for t, a, _ in snapshot.tensors.values():
        storage = storage_behind(t)
        array = a if storage is None else storage.root
        if id(t) in owners:
            known[id(array)] = GradHolder(owners[id(t)], t._key)
        elif storage is None:
            known.setdefault(id(array), TensorHolder(t))
        elif not isinstance(known.get(id(array)), GradHolder):
            known[id(array)] = StorageHolder(storage, _covering(snapshot, storage))
    return [known.get(id(array), array) for array in captured]


def _covering(snapshot: Snapshot, storage: Storage) -> list[Tensor]:
    """Returns the tensors that show the whole of a storage as it lies."""
    found = []
    for t, _, _ in snapshot.tensors.values():
        if storage_behind(t) is storage:
            lens = lens_of(t)
            if lens.offset == 0 and is_contiguous(lens) and tuple(lens.shape) == tuple(storage.root.shape):
                found.append(t)
    return found


class Outputs:
    """What a call leaves behind: its result, what it wrote, gradients, and new tensors that somebody keeps."""

    def __init__(self) -> None:
        self.every: list[Output] = []
        self.spec: Any = None
        self.result: list[Output] = []


def _outputs(
    snapshot: Snapshot,
    result: Any,
    stand_ins: Sequence[tuple[int, Tensor]],
    placeholders: Sequence[Array],
    backend: Backend,
) -> Outputs:
    """Returns where every placeholder is that outlives the call."""
    outputs = Outputs()
    numbers = {id(t): i for i, t in stand_ins}
    flat, outputs.spec = tree_flatten(result)
    for leaf in flat:
        outputs.result.append(_result(snapshot, leaf, numbers, backend))
    seen = {id(leaf) for leaf in flat if isinstance(leaf, Tensor)}
    outputs.every.extend(outputs.result)
    owners = {id(grad): t for t, _, grad in snapshot.tensors.values() if grad is not None}
    of_grads = {id(storage_behind(t)): t for t, _, _ in snapshot.tensors.values() if id(t) in owners}
    for storage, root, _ in snapshot.storages.values():
        if storage.root is not root:
            grad = of_grads.get(id(storage))
            if grad is not None:
                holder: Holder = GradHolder(owners[id(grad)], grad._key, fresh=False)
                outputs.every.append(Output("state", read(grad), holder=holder))
            else:
                holder = StorageHolder(storage, _covering(snapshot, storage))
                outputs.every.append(Output("state", storage.root, holder=holder))
    grads: set[int] = set()
    for t, a, grad in snapshot.tensors.values():
        storage_now = storage_behind(t)
        fresh = storage_now is not None and id(storage_now) not in snapshot.storages
        if (storage_now is None and t._a is not a) or (fresh and backend.is_traced(read(t))):
            own = id(t) in owners
            holder = GradHolder(owners[id(t)], t._key, fresh=False) if own else TensorHolder(t)
            outputs.every.append(Output("state", read(t), holder=holder))
        now = None if t._extra is None else t._extra.grad
        if now is not grad:
            grads.add(id(now))
            outputs.every.append(_gradient(t, now))
    for (i, t), placeholder in zip(stand_ins, placeholders, strict=True):
        if read(t) is not placeholder:
            outputs.every.append(Output("argument", read(t), number=i))
        grad = None if t._extra is None else t._extra.grad
        if grad is not None:
            grads.add(id(grad))
            outputs.every.append(Output("argument's gradient", read(grad), number=i, key=grad._key))
    del flat, result
    gc.collect()
    for t in list(tensors_alive(backend)):
        fresh = id(t) not in snapshot.tensors and id(t) not in seen and id(t) not in grads and id(t) not in numbers
        if fresh and backend.is_traced(t._a):
            own_storage = storage_behind(t)
            holder = TensorHolder(t) if own_storage is None else StorageHolder(own_storage, [t])
            outputs.every.append(Output("kept", holder.get(), holder=holder))
    return outputs


def _gradient(owner: Tensor, grad: Tensor | None) -> Output:
    if grad is None:
        return Output("no gradient", None, owner=owner)
    return Output("state", read(grad), holder=GradHolder(owner, grad._key))


def _result(snapshot: Snapshot, leaf: Any, numbers: dict[int, int], backend: Backend) -> Output:
    if not isinstance(leaf, Tensor) or leaf._key.backend.engine is not backend:
        return Output("value", None, value=leaf)
    if id(leaf) in snapshot.tensors:
        return Output("value", None, value=leaf)
    if id(leaf) in numbers:
        return Output("same argument", None, number=numbers[id(leaf)])
    if leaf._key.requires and _has_history(leaf._edge):
        raise UntraceableError("the function returns a tensor whose history backward() has yet to go through")
    return Output("result", read(leaf), key=leaf._key.fresh(leaf._key.zero_dim, leaf._key.requires), edge=leaf._edge)


def _has_history(edge: Any) -> bool:
    """Returns whether something that a derivative needs is still kept behind an edge."""
    waiting, seen = [edge], set()
    while waiting:
        node = waiting.pop()
        node = node[0] if type(node) is tuple else node
        if node is None or isinstance(node, Tensor) or id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, Node) or _keeps(node):
            return True
        waiting.extend(node.edges)
    return False


def _keeps(node: Node) -> bool:
    """Returns whether a node still has what its derivative needs; a Function's is asked what it saved."""
    if isinstance(node, FunctionCtx):
        kept = node.kept
        return bool(kept) and kept is not FREED
    return node.op.keeps and node.saved is not FREED
