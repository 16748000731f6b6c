"""One recorded call: what its inputs were, where gradients go, and what it kept for computing them.

The engine (layer 4) walks nodes; ops create them. A node's sequence number is larger than that of every node it
points to, so decreasing numbers are a topological order and no dependency is ever counted.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch.dispatch.modes import anomaly
from dispatchtorch.tensor.tensor import Tensor, new

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatchtorch.dispatch.op import Op

__all__ = ["FREED", "Node", "bare_name", "edge_of", "next_seq", "saved_error"]

next_seq: Final = itertools.count(1).__next__
FREED: Final[tuple[Any, ...]] = ("freed",)

FREED_MESSAGE: Final = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)


class _Slots:
    __slots__ = ("edges", "op", "saved", "seq", "shape", "versions")

    op: Op
    edges: tuple[Any, ...]  # per differentiable input: None, a leaf Tensor, a Node, or (Node, output number)
    saved: tuple[Any, ...]  # the call's arguments that a derivative names, None elsewhere
    versions: tuple[int, ...] | None  # their versions; None when all were 0
    shape: Any  # of the output; for several outputs, of each
    seq: int


class Node(_Slots):
    """A recorded call of one op: torch's ``grad_fn``."""

    out: Any = None  # (raw, key, cell, version) of the saved output
    keys: tuple[Any, ...] | None = None  # of the outputs, when there are several
    pre_hooks: dict[int, Callable[..., Any]] | None = None
    post_hooks: dict[int, Callable[..., Any]] | None = None
    tensor_hooks: dict[int, Any] | None = None  # output number -> hooks on the gradient there
    retains: dict[int, Any] | None = None  # output number -> weak reference to a tensor that keeps its gradient
    where: str | None = None  # the forward call's stack, in anomaly mode
    special: bool = False  # whether any of the above is set: the engine looks no further where it is not
    materialize: bool = True  # whether missing gradients of some of several outputs arrive as zeros
    alias: str | None = None  # the name to show, where it is not the op's

    def name(self) -> str:
        """Returns the node's name, as torch calls it: "AddBackward0"."""
        return self.alias or self.op.node_name(self)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Returns the nodes that this one sends gradients to, with the number of their output."""
        return tuple((None, 0) if e is None else e if type(e) is tuple else (as_function(e), 0) for e in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    def run(self, g: Any) -> Any:
        """Returns the gradients for `edges`, given the output's gradient (a tuple for several outputs)."""
        return self.op.backward(self, g)

    def release(self) -> None:
        """Drops what was saved; another run raises torch's error."""
        if self.op.keeps:
            self.saved = FREED
            if "out" in self.__dict__:
                del self.out

    def unpack(self) -> tuple[Any, ...]:
        """Returns the saved arguments; RuntimeError if one was written since, or all were freed."""
        saved = self.saved
        if saved is FREED:
            raise RuntimeError(FREED_MESSAGE)
        versions = self.versions
        if versions is None:  # all were 0, and most still are
            for value in saved:
                if isinstance(value, Tensor) and value._cell is not None and value._cell.version:
                    raise saved_error(value, 0)
            return saved
        for i, value in enumerate(saved):
            if isinstance(value, Tensor):
                cell = value._cell
                if cell is not None and cell.version != versions[i]:
                    raise saved_error(value, versions[i])
        return saved

    def unpack_out(self) -> Any:
        """Returns the saved output, with this node as its history."""
        if self.out is None:
            raise RuntimeError(FREED_MESSAGE)
        parts = [self._unpack_one(i, part) for i, part in enumerate(self.out)]
        return parts[0] if self.keys is None else tuple(parts)

    def _unpack_one(self, i: int, part: Any) -> Tensor:
        raw, key, cell, version = part
        t = new(Tensor)
        t._a, t._key, t._extra = raw, key, None
        t._cell = None
        t._edge = self if self.keys is None else (self, i)
        if cell is not None and cell.version != version:
            t._cell = cell
            raise saved_error(t, version)
        return t


class AccumulateGrad:
    """Where a leaf's gradient arrives, as seen through ``next_functions``."""

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable

    def name(self) -> str:
        """Returns "struct torch::autograd::AccumulateGrad", torch's name for it."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[()]:
        """Returns nothing: gradients end here."""
        return ()


def as_function(edge: Any) -> Any:
    """Returns what ``grad_fn`` or ``next_functions`` shows for an edge."""
    return AccumulateGrad(edge) if isinstance(edge, Tensor) else edge


def edge_of(t: Tensor) -> Any:
    """Returns where a gradient for ``t`` goes: its node, itself for a leaf, None when none is required."""
    return (t._edge or t) if t._key.requires else None


def bare_name(name: str) -> str:
    """Returns a node's name as PyTorch's sentences have it: "Mul" for "MulBackward0"."""
    return name.partition("Backward")[0]


_UNTRACED: Final = (
    "enable anomaly detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)
_TRACED: Final = (
    "the backtrace further above shows the operation that failed to compute its gradient. The variable in question was "
    "changed in there or anywhere later. Good luck!"
)


def saved_error(t: Tensor, expected: int) -> RuntimeError:
    """Returns torch's error for a saved tensor that was written afterwards."""
    edge = t._edge
    node, nr = edge if type(edge) is tuple else (edge, 0)
    origin = "" if node is None else f", which is output {nr} of {bare_name(node.name())},"
    shape = ", ".join(map(str, t._a.shape))
    found = 0 if t._cell is None else t._cell.version
    prefix = "torch.cuda." if t._key.device.type == "cuda" else "torch."
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{prefix}{t._key.dtype.legacy}Tensor [{shape}]]{origin} is at version {found}; expected version {expected} "
        f"instead. Hint: {_TRACED if anomaly.on else _UNTRACED}"
    )
