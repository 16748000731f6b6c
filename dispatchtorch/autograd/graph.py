"""``torch.autograd.graph``: looking at the graph, and deciding how saved tensors are kept.

Knows nodes, edges and the engine's current run; knows no op but those that a kept tensor is moved with.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self

from dispatchtorch.autograd.engine import will_run
from dispatchtorch.autograd.hooks import RemovableHandle
from dispatchtorch.dispatch.modes import LOOKED_AT, modes
from dispatchtorch.dispatch.node import AccumulateGrad, as_function
from dispatchtorch.dispatch.node import Node as RecordedNode
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.tensor.tensor import Tensor, cell_of

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class Node(ABC):
    """What every ``grad_fn`` is an instance of."""

    @abstractmethod
    def name(self) -> str:
        """Returns the name of the node, like "MulBackward0"."""

    @property
    @abstractmethod
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Returns the nodes that this one sends gradients to, with the number of their output."""

    @abstractmethod
    def metadata(self) -> dict[Any, Any]:
        """Returns a dict for whatever a program wants to remember with the node."""

    @property
    @abstractmethod
    def _input_metadata(self) -> tuple[Any, ...]: ...

    @abstractmethod
    def _register_hook_dict(self, tensor: Tensor) -> None: ...

    @abstractmethod
    def _sequence_nr(self) -> int: ...

    @abstractmethod
    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls ``fn(grad_inputs, grad_outputs)`` after the node ran."""

    @abstractmethod
    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls ``fn(grad_outputs)`` before the node runs."""


Node.register(RecordedNode)
Node.register(AccumulateGrad)


class GradientEdge(NamedTuple):
    """A place in the graph to which a gradient flows: an output of a node. `grad` takes it in place of a tensor."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Returns where the gradient of a tensor flows to; RuntimeError for one that requires none.

    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.autograd.graph.get_gradient_edge(x * 2).node.name()
    'MulBackward0'
    """
    if tensor._key.view:
        refresh(tensor)
    if not tensor._key.requires:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    edge = tensor._edge
    if edge is None:
        return GradientEdge(as_function(tensor), 0)
    node, nr = edge if type(edge) is tuple else (edge, 0)
    return GradientEdge(as_function(node), nr)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Counts a write to a tensor, or to each of several, that autograd could not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tuple(tensor):
        cell_of(t).version += 1


# --- hooks on what is saved ------------------------------------------------------------------------------------------


def _set_packing(packing: tuple[Any, ...]) -> None:
    modes.packing = packing
    modes.recording = LOOKED_AT if packing else True
    if modes.grad:
        modes.grad = modes.recording


class saved_tensors_hooks:
    """Keeps what ``pack_hook(tensor)`` returns in place of each tensor saved for backward, within a ``with`` block.

    ``unpack_hook`` gets that back and returns the tensor.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda v: torch.tensor(v)):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> Any:
        if modes.packing_refused is not None:
            raise RuntimeError(modes.packing_refused)
        if not (callable(self.pack_hook) and callable(self.unpack_hook)):
            raise TypeError(
                "_push_saved_tensors_default_hooks(): incompatible function arguments. The following argument types "
                "are supported:\n    1. (arg0: collections.abc.Callable, arg1: collections.abc.Callable) -> None\n\n"
                f"Invoked with: {self.pack_hook!r}, {self.unpack_hook!r}"
            )
        _set_packing((*modes.packing, (self.pack_hook, self.unpack_hook)))
        return None

    def __exit__(self, *args: object) -> None:
        _set_packing(modes.packing[:-1])


class save_on_cpu(saved_tensors_hooks):
    """Keeps what is saved for backward in the host's memory, and moves it back when it is needed."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack_to_cpu(tensor: Tensor) -> tuple[Any, Tensor]:
            return tensor.device, tensor.cpu()

        def unpack_from_cpu(packed: tuple[Any, Tensor]) -> Tensor:
            device, tensor = packed
            return tensor.to(device)

        super().__init__(pack_to_cpu, unpack_from_cpu)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Refuses `saved_tensors_hooks` within the block, with a RuntimeError of these words."""
    before = modes.packing_refused
    if modes.packing:
        raise RuntimeError(error_message)
    modes.packing_refused = error_message
    try:
        yield
    finally:
        modes.packing_refused = before


class _AllowMutationOnSavedContext:
    """What was saved within one `allow_mutation_on_saved_tensors` block."""

    def __init__(self) -> None:
        self.live = True

    def clear(self) -> None:
        """Forgets everything."""
        self.live = False


class _Copy:
    __slots__ = ("context", "tensor")

    def __init__(self, context: _AllowMutationOnSavedContext, tensor: Tensor) -> None:
        self.context, self.tensor = context, tensor


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_AllowMutationOnSavedContext]:
    """Lets tensors that were saved for backward be written, within the block: backward sees the values of then.

    Each is copied when it is saved, so that backward has to run within the block too.

    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     x = torch.ones(2, requires_grad=True)
    ...     y = x.clone()
    ...     z = (y**2).sum()
    ...     _ = y.sin_()
    ...     z.backward()
    >>> x.grad
    tensor([2., 2.])
    """
    if getattr(_mutation, "on", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _AllowMutationOnSavedContext()

    def pack(tensor: Tensor) -> _Copy:
        return _Copy(context, tensor.clone())

    def unpack(kept: _Copy) -> Tensor:
        if not kept.context.live:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
                "in which the graph was originally recorded."
            )
        return kept.tensor

    with saved_tensors_hooks(pack, unpack):
        _mutation.on = True
        try:
            yield context
        finally:
            context.clear()
            _mutation.on = False


_mutation = threading.local()


# --- hooks on several gradients --------------------------------------------------------------------------------------


class _Handles(RemovableHandle):
    """Takes several hooks off at once."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        super().__init__({})
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Takes all of them off."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> Self:
        return self


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[..., None],
    *,
    mode: Literal["all", "any"] = "all",
) -> RemovableHandle:
    """Calls ``fn`` when the gradients of several tensors are known: once in each backward.

    With "all", ``fn(grads)`` gets a list, None for a tensor that the backward does not reach; with "any", ``fn(grad)``
    gets the first one. ValueError for another mode.
    """
    supported = ("all", "any")
    if mode not in supported:
        raise ValueError(f"Expects mode to be one of {supported} but got {mode}")
    lock = threading.Lock()
    count: dict[Any, int] = {}
    total: dict[Any, int] = {}
    gathered: dict[Any, list[Tensor | None]] = {}

    if mode == "all":

        def at(i: int) -> Callable[[Tensor], None]:
            def inner(g: Tensor) -> None:
                run, reached = will_run(tensors)
                with lock:
                    count.setdefault(run, 0)
                    total.setdefault(run, sum(reached))
                    held = gathered.setdefault(run, [None] * len(tensors))
                    count[run] += 1
                    held[i] = g
                    done = count[run] == total[run]
                    if done:
                        del count[run], total[run], gathered[run]
                if done:
                    fn(held)

            return inner

        return _Handles([t.register_hook(at(i)) for i, t in enumerate(tensors)])

    seen: list[Any] = []

    def first(g: Tensor) -> None:
        run, _ = will_run(())
        with lock:
            if seen and seen[0] == run:
                return
            seen[:] = [run]
        fn(g)

    return _Handles([t.register_hook(first) for t in tensors if t.requires_grad])
