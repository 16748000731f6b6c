"""A traced call as one program: gathers inputs, runs, and puts what came out where the call would have put it.

Must not know: how a call is traced, when to trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dispatchtorch._base.pytree import tree_unflatten
from dispatchtorch.compiler.holders import GradHolder, Holder, StaleError
from dispatchtorch.plugin.backend import Array, Backend, Traced
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Tensor, cell_of, extra_of, read, wrap, write

__all__ = ["Output", "Program"]


@dataclass(eq=False)
class Output:
    """One thing that a call leaves: what kind, the array during the trace, and where it goes."""

    kind: str
    array: Array | None
    holder: Holder | None = None
    owner: Tensor | None = None
    number: int = -1
    key: Key | None = None
    edge: Any = None
    value: Any = None


class Program:
    """One compiled call for arguments and state of certain kinds."""

    def __init__(
        self,
        backend: Backend,
        traced: Traced,
        given: Sequence[int],
        sources: Sequence[Any],
        recording: Any,
        outputs: Any,
        versions: Sequence[tuple[Any, int]],
    ) -> None:
        self._backend, self._given, self._sources = backend, tuple(given), tuple(sources)
        self._events, self._guards = tuple(recording.events), tuple(recording.guards)
        self._outputs, self._result, self._spec = tuple(outputs.every), tuple(outputs.result), outputs.spec
        self._versions = tuple(versions)
        self._shapes = [(source, tuple(source.get().shape)) for source in self._sources if isinstance(source, Holder)]
        self._gradless = [
            output.holder.owner
            for output in self._outputs
            if isinstance(output.holder, GradHolder) and _grad_of(output.holder.owner) is None
        ]
        self.keeps = any(output.kind == "kept" for output in self._outputs)  # then it is right for this call only
        self.equations = traced.size
        self._run = traced.compile(())
        self._on_mesh = any(t._key.backend is not backend for t in self.tensors())
        for output in self._outputs:
            output.array = None if output.array is None else True  # the placeholder itself must not live on

    def guard(self, read: Callable[[], Any]) -> None:
        """Adds a fact that has to stay as it is."""
        self._guards = (*self._guards, (read, read()))

    def tensors(self) -> Iterator[Tensor]:
        """Yields the tensors whose state the program reads or writes."""
        for found in (*self._sources, *[output.holder for output in self._outputs]):
            if isinstance(found, Holder):
                yield from found.tensors()

    def holds(self) -> bool:
        """Returns whether the state is still what the program was made for."""
        try:
            return (
                all(read() == value for read, value in self._guards)
                and all(tuple(source.get().shape) == shape for source, shape in self._shapes)
                and all(_grad_of(owner) is None for owner in self._gradless)
            )
        except StaleError:
            return False

    def run(self, leaves: Sequence[Any]) -> Any:
        """Returns what the call returns, for the flattened arguments, and does to all state what the call does."""
        supplied = []
        for kind, act, device in self._events:
            if kind == "supply":
                supplied.append(self._backend.from_host(act(), device))
            else:
                act()
        captured = [
            source.get() if isinstance(source, Holder) else supplied[source] if type(source) is int else source
            for source in self._sources
        ]
        arrays = iter(self._run(captured, [read(leaves[i]) for i in self._given]))
        made: dict[int, Any] = {}
        on_mesh = self._on_mesh or any(leaves[i]._key.backend is not self._backend for i in self._given)
        for output in self._outputs:
            value = next(arrays) if output.array is not None else None
            if on_mesh and value is not None:
                value = _settled(output, value, leaves)
            made[id(output)] = _placed(output, value, leaves)
        for cell, by in self._versions:
            cell.version += by
        return tree_unflatten([made[id(output)] for output in self._result], self._spec)


def _grad_of(t: Tensor) -> Tensor | None:
    return None if t._extra is None else t._extra.grad


def _settled(output: Output, value: Array, leaves: Sequence[Any]) -> Array:
    """Returns an array that came out of a program over a mesh where its tensor lies."""
    if output.holder is not None:
        return output.holder.backend.settled(value, output.holder.pattern())
    if output.key is not None:
        return output.key.backend.settled(value, None)
    leaf: Tensor = leaves[output.number]
    return leaf._key.backend.settled(value, read(leaf))


def _placed(output: Output, value: Array, leaves: Sequence[Any]) -> Any:
    kind = output.kind
    if output.holder is not None:
        output.holder.put(value)
    elif kind == "value":
        return output.value
    elif kind == "result":
        assert output.key is not None  # a result has one
        t = wrap(value, output.key)
        t._edge = output.edge
        return t
    elif kind == "same argument":
        return leaves[output.number]
    elif kind == "argument":
        write(leaves[output.number], value)
        cell_of(leaves[output.number]).version += 1
    elif kind == "argument's gradient":
        assert output.key is not None  # a gradient has one
        _accumulate(leaves[output.number], wrap(value, output.key))
    else:
        assert output.owner is not None  # "no gradient": whose
        extra_of(output.owner).grad = None
    return None


def _accumulate(t: Tensor, grad: Tensor) -> None:
    extra = extra_of(t)
    extra.grad = grad if extra.grad is None else extra.grad + grad
