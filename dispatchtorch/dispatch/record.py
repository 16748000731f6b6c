"""Recording: turning a call that was just computed into a node, and writing history under views.

Nothing here computes values; the engine that walks what is written here lives above.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.late import traceback
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import Node, bare_name, edge_of, next_seq
from dispatchtorch.dispatch.op import LIST, TENSOR, Op
from dispatchtorch.dispatch.packing import PackedNode, pack, pack_all
from dispatchtorch.tensor.tensor import Tensor, cell_of, new

__all__ = ["INFERENCE_SAVED", "check_inplace", "keep_out", "make_node", "rebase", "record", "refresh", "requires"]


def requires(args: Sequence[Any], kinds: Sequence[int]) -> bool:
    """Returns whether any tensor among the arguments requires a gradient."""
    for value, kind in zip(args, kinds, strict=True):
        if kind == TENSOR:
            if isinstance(value, Tensor) and value._key.requires:
                return True
        elif kind == LIST and any(v._key.requires for v in value):
            return True
    return False


def make_node(op: Op, args: Sequence[Any]) -> Node:
    """Returns a node for a call: edges for the op's differentiable arguments, and what its derivatives name."""
    node: Node = new(PackedNode if modes.packing else Node)
    node.op = op
    node.seq = next_seq()
    edges: list[Any] = []
    for position in op.targets:
        value = args[position]
        if op.kinds[position] == LIST:
            edges += [edge_of(v) for v in value]
        else:
            edges.append(edge_of(value) if isinstance(value, Tensor) else None)
    node.edges = tuple(edges)
    save(node, op, args)
    if anomaly.on:
        node.where = "".join(traceback.format_stack()[:-2])
        node.special = True
    return node


def save(node: Node, op: Op, args: Sequence[Any]) -> None:
    """Keeps in the node the arguments that the derivatives of its edges name, and their versions."""
    edges = node.edges
    if len(edges) == len(op.rules):
        wanted = {s for rule, edge in zip(op.rules, edges, strict=True) if edge is not None for s in rule.saves}
        kept = [value if i in wanted else None for i, value in enumerate(args)]
    else:
        kept = [value if on else None for value, on in zip(args, op.saves, strict=True)]
    for value in kept:
        if isinstance(value, Tensor) and value._key.inference:
            raise RuntimeError(INFERENCE_SAVED)
    if modes.packing:
        node.versions = None
        node.saved = (*pack_all(kept), *op.facts_of(args))
        return
    node.saved = (*kept, *op.facts_of(args)) if op.facts else tuple(kept)
    if any(isinstance(v, Tensor) and v._cell is not None for v in kept):
        node.versions = tuple([v._version if isinstance(v, Tensor) else 0 for v in node.saved])
    else:
        node.versions = None


INFERENCE_SAVED: Final = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
    "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)
_INFERENCE_WRITTEN: Final = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
    "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
)


def record(op: Op, args: Sequence[Any], outs: Sequence[Tensor], *, several: bool) -> None:
    """Gives the outputs of a call their history."""
    node = make_node(op, args)
    if several:
        node.shape = tuple([o._a.shape for o in outs])
        node.keys = tuple([o._key for o in outs])
        node.special = True
        if op.partial:
            node.materialize = False
    else:
        node.shape = outs[0]._a.shape
    for i, out in enumerate(outs):
        if out._key.dtype.category >= 2:
            out._edge = (node, i) if several else node
            out._key = out._key.as_requires(True)
    if op.saves_out:
        keep_out(node, outs)


def keep_out(node: Node, outs: Sequence[Tensor]) -> None:
    """Keeps a call's outputs in its node, without the history that would make a cycle."""
    if isinstance(node, PackedNode):
        node.out = tuple([pack(o, own_output=True) for o in outs])
    else:
        node.out = tuple([(o._a, o._key, cell_of(o), cell_of(o).version) for o in outs])


def refresh(t: Tensor) -> bool:
    """Brings a view's history up to date with writes to its base; returns whether its key changed."""
    extra, cell = t._extra, t._cell
    if extra is None or cell is None or extra.base is None or extra.seen == cell.rebased:
        return False
    extra.seen = cell.rebased
    base = extra.base
    if not base._key.requires or (extra.creation == "no_grad" and base._edge is None):
        return False
    if extra.creation:
        _refuse_view(t, extra.creation, base_written=True)
    before = modes.grad
    modes.grad = modes.recording
    try:
        again = base
        for function, args in extra.replay:
            again = function(again, *args)
    finally:
        modes.grad = before
    if again._a.shape != t._a.shape:
        raise RuntimeError(
            "the history of this view cannot be followed: the sizes of its base were changed in place after it was made"
        )
    t._edge = again._edge
    if type(t._edge) is Node:
        t._edge.alias = "AsStridedBackward0"  # PyTorch's name for a view's history told again
    changed = not t._key.requires
    t._key = t._key.as_requires(True)
    return changed


def check_inplace(t: Tensor, differentiable: bool) -> None:
    """Raises torch's error where a write to ``t`` would break a leaf, or a view that must not be written."""
    if t._key.inference and not modes.inference:
        raise RuntimeError(_INFERENCE_WRITTEN)
    if not modes.grad:
        return
    extra = t._extra
    if extra is not None and extra.base is not None:
        base = extra.base
        if not (differentiable or base._key.requires):
            return
        if extra.creation:
            _refuse_view(t, extra.creation, base_written=False)
        refresh(t)
        if base._edge is None and base._key.requires:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    elif differentiable and t._edge is None and t._key.requires:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")


def _refuse_view(t: Tensor, creation: str, *, base_written: bool) -> None:
    done = "its base or another view of its base has been" if base_written else "is being"
    edge = t._edge
    node, nr = edge if type(edge) is tuple else (edge, 0)
    if creation == "no_grad":
        raise RuntimeError(
            f"A view was created in no_grad mode and {done} modified inplace with grad mode enabled. Given that this "
            "use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view "
            "and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or "
            "both "
            "outside (if you want the inplace to be tracked)."
        )
    name = creation.partition(":")[2] if node is None else node.name()
    if creation == "function":
        raise RuntimeError(
            f"Output {nr} of {bare_name(name)} is a view and {done} modified inplace. This view was created inside a "
            "custom Function (or because an input was returned as-is) and the autograd logic to handle view+inplace "
            "would override the custom backward associated with the custom Function, leading to incorrect gradients. "
            "This behavior is forbidden. You can fix this by cloning the output of the custom Function."
        )
    raise RuntimeError(
        f"Output {nr} of {bare_name(name)} is a view and {done} modified inplace. This view is the output of a "
        "function that "
        "returns multiple views. Such functions do not allow the output views to be modified inplace. You should "
        "replace "
        "the inplace operation by an out-of-place one."
    )


_WANTED: Final = Node()  # an edge that only says that a gradient is to be computed


class ViewWrite(Node):
    """History of a write through a view: the base's gradient with the written part sent through the write's node."""

    inner: Node
    replay: tuple[Any, ...]
    self_edge: bool

    def name(self) -> str:
        """Returns "torch::autograd::CopySlices", torch's name, or that of the op which a composite stands for."""
        return self.alias or "torch::autograd::CopySlices"

    def run(self, g: Any) -> Any:
        """Returns the gradients of the base and of the write's other arguments; all over ops, so differentiable."""
        whole = g.clone()
        part = whole
        for function, args in self.replay:
            part = function(part, *args)
        grads = list(self.inner.run(part.clone()))
        mine = grads.pop(0) if self.self_edge else None
        if mine is None:
            part.zero_()
        else:
            part.copy_(mine)
        return [whole, *grads]

    def release(self) -> None:
        """Drops what the write saved."""
        self.inner.release()


def rebase(t: Tensor, node: Node, *, has_self: bool) -> None:
    """Gives a tensor that was just written its new history; for a view the base gets it, and all views follow."""
    cell = cell_of(t)
    extra = t._extra
    node.shape = t._a.shape
    base = None if extra is None else extra.base
    if extra is None or base is None:
        edge = t._edge
        t._edge = node
        t._key = t._key.as_requires(True)
        cell.rebased += 1
        _carry_retained(t, edge)
        return
    over = new(ViewWrite)
    over.op, over.saved, over.versions = node.op, (), None
    over.inner, over.replay, over.self_edge = node, extra.replay, has_self
    if has_self and node.edges[0] is None:
        node.edges = (_WANTED, *node.edges[1:])  # the inner derivative is needed for the base's sake
    over.edges = (edge_of(base), *(node.edges[1:] if has_self else node.edges))
    over.seq = next_seq()
    over.shape = base._a.shape
    edge = base._edge
    base._edge = over
    base._key = base._key.as_requires(True)
    cell.rebased += 1
    _carry_retained(base, edge)
    refresh(t)


def _carry_retained(t: Tensor, edge: Any) -> None:
    """Lets a tensor that keeps its gradient keep that of its new values, and not of the old ones too."""
    extra = t._extra
    if extra is not None and extra.retains and isinstance(t._edge, Node):
        t._edge.retains, t._edge.special = {0: weakref.ref(t)}, True
        node, nr = edge if type(edge) is tuple else (edge, 0)
        if node is not None and node.retains is not None:
            node.retains.pop(nr, None)
