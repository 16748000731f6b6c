"""One recorded call: what its inputs were, where gradients go, and what it kept for computing them.

The engine (layer 4) walks nodes; ops create them. A node's sequence number is larger than that of every node it
points to, so decreasing numbers are a topological order and no dependency is ever counted.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch.dispatch.modes import anomaly
from dispatchtorch.tensor.tensor import Size, Tensor, extra_of, new

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatchtorch.dispatch.op import Op

__all__ = ["FREED", "Node", "bare_name", "edge_of", "freed_error", "next_seq", "saved_error"]

next_seq: Final = itertools.count(1).__next__
FREED: Final[tuple[Any, ...]] = ("freed",)

FREED_MESSAGE: Final = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)


def freed_error() -> RuntimeError:
    """Returns torch's error for a graph that was gone through and not kept."""
    return RuntimeError(FREED_MESSAGE)


class _Slots:
    __slots__ = ("edges", "op", "saved", "seq", "shape", "versions")

    op: Op
    edges: tuple[Any, ...]  # per differentiable input: None, a leaf Tensor, a Node, or (Node, output number)
    saved: tuple[Any, ...]  # the call's arguments that a derivative names, None elsewhere
    versions: tuple[int, ...] | None  # their versions; None when all were 0
    shape: Any  # of the output; for several outputs, of each
    seq: int


class InputMetadata:
    """What a node knows of one of its outputs' gradients: the shape, and for several outputs dtype and device."""

    def __init__(self, shape: Any, dtype: Any = None, device: Any = None) -> None:
        self.shape, self.dtype, self.device = Size(shape), dtype, device


class Node(_Slots):
    """A recorded call of one op: torch's ``grad_fn``."""

    out: Any = None  # (raw, key, cell, version) of the saved output
    keys: tuple[Any, ...] | None = None  # of the outputs, when there are several
    pre_hooks: dict[int, Callable[..., Any]] | None = None
    post_hooks: dict[int, Callable[..., Any]] | None = None
    tensor_hooks: dict[int, Any] | None = None  # output number -> hooks on the gradient there
    retains: dict[int, Any] | None = None  # output number -> weak reference to a tensor that keeps its gradient
    where: str | None = None  # the forward call's stack, in anomaly mode
    named: bool = True  # whether a node that is shown gets a class of its own
    special: bool = False  # whether any of the above is set: the engine looks no further where it is not
    materialize: bool = True  # whether missing gradients of some of several outputs arrive as zeros
    alias: str | None = None  # the name to show, where it is not the op's

    def name(self) -> str:
        """Returns the node's name, as torch calls it: "AddBackward0"."""
        return self.alias or self.op.node_name(self)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Returns the nodes that this one sends gradients to, with the number of their output."""
        return tuple((as_function(e[0]), e[1]) if type(e) is tuple else (as_function(e), 0) for e in self.edges)

    @property
    def _input_metadata(self) -> tuple[InputMetadata, ...]:
        if self.keys is not None:
            return tuple(InputMetadata(s, k.dtype, k.device) for s, k in zip(self.shape, self.keys))
        return (InputMetadata(self.shape),)

    def _raw_saved_at(self, place: int) -> Any: ...  # the room of packing gives it

    @property
    def metadata(self) -> dict[Any, Any]:
        """Returns a dict for whatever a program wants to remember with the node."""
        found = self.__dict__.get("_metadata")
        if found is None:
            found = self.__dict__["_metadata"] = {}
        return found

    @property
    def requires_grad(self) -> bool:
        """Returns True: what requires no gradient has no node."""
        return True

    def _sequence_nr(self) -> int:
        return self.seq

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
            raise freed_error()
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
            raise freed_error()
        return self._unpack_one(0, self.out[0]) if self.keys is None else Outputs(self)

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


class Outputs(Sequence[Tensor]):
    """A node's several saved outputs, each unpacked when it is named: what no rule reads may have been written."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __len__(self) -> int:
        return len(self.node.out)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple([self[i] for i in range(*place.indices(len(self)))])
        place = range(len(self))[place]
        return self.node._unpack_one(place, self.node.out[place])


_TORCH_NAMES: Final = {"input": "self"}
_OWN_NAMES: Final = {("_pow_number", "other"): "exponent", ("_pow", "other"): "exponent", ("pow", "other"): "exponent"}


def _torch_name(op: str, name: str) -> str:
    return _OWN_NAMES.get((op, name)) or _TORCH_NAMES.get(name, name)


class AccumulateGrad:
    """Where a leaf's gradient arrives, as seen through ``next_functions``."""

    requires_grad = True

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        """Returns "struct torch::autograd::AccumulateGrad", torch's name for it."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[()]:
        """Returns nothing: gradients end here."""
        return ()


# A class that is shown knows its saved values by torch's names. The plain one must not: with a ``__getattr__`` every
# attribute of every node would take longer.
def _saved_attribute(self: Node, name: str) -> Any:
    """Returns what is saved under torch's name for it, ``_saved_self``; AttributeError for any other name."""
    if name.startswith(("_saved_", "_raw_saved_")):
        place = _saved_places(self).get(name.partition("_saved_")[2])
        if place is not None:
            return _saved_at(self, place) if name[1] == "s" else self._raw_saved_at(place)
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


def _names(self: Node) -> list[str]:
    return [*object.__dir__(self), *[f"_saved_{name}" for name in _saved_places(self)]]


def _saved_places(self: Node) -> dict[str, int]:
    """Returns where each saved value is: an index into `saved`, or -1 for the output."""
    op = getattr(self, "op", None)
    if op is None:
        return {}
    found = {_torch_name(op.name, name): i for i, (name, on) in enumerate(zip(op.params, op.saves)) if on}
    if self.saved is not FREED:
        found = {name: i for name, i in found.items() if i < len(self.saved) and self.saved[i] is not None}
        for i, fact in enumerate(op.facts):
            if fact.endswith("_shape") and len(self.saved) == len(op.params) + len(op.facts):
                param = fact.removesuffix("_shape")
                found[f"{_torch_name(op.name, param)}_sym_sizes"] = len(op.params) + i
    if op.saves_out:
        found["result"] = -1
    return found


def _saved_at(self: Node, place: int) -> Any:
    return self.unpack_out() if place < 0 else self.unpack()[place]


_classes: Final[dict[tuple[type[Node], str], type[Node]]] = {}
PLAIN: Final = "_plain_class"


def as_function(edge: Any) -> Any:
    """Returns what ``grad_fn`` or ``next_functions`` shows for an edge.

    A node that is shown gets a class of the name that torch's has; until then all are of a few classes, which are quick
    to make.
    """
    if edge is None:
        return None
    if isinstance(edge, Tensor):
        extra = extra_of(edge)
        known = extra.__dict__.get("accumulator")
        node = None if known is None else known()
        if node is None:
            node = AccumulateGrad(edge)
            extra.accumulator = weakref.ref(node)  # type: ignore[attr-defined]  # a rare fact that only this room knows
        return node
    kind = type(edge)
    plain = getattr(kind, PLAIN, kind)
    if plain.named:
        name = edge.name().rpartition(":")[2]
        if kind.__name__ != name:
            named = _classes.get((plain, name))
            if named is None:
                facts = {
                    PLAIN: plain,
                    "__module__": "builtins",
                    "__getattr__": _saved_attribute,
                    "__dir__": _names,
                }
                named = _classes.setdefault((plain, name), type(name, (plain,), facts))
            edge.__class__ = named
    return edge


def edge_of(t: Tensor) -> Any:
    """Returns where a gradient for ``t`` goes: its node, itself for a leaf, None when none is required."""
    return (t._edge or t) if t._key.requires else None


def bare_name(name: str) -> str:
    """Returns a node's name as PyTorch's sentences have it: "Mul" for "MulBackward0"."""
    return name.rpartition("Backward")[0] or name


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
