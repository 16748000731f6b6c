"""``DistributedDataParallel``: one model in several processes, or on several devices, whose gradients are averaged.

What averages them is asked for when a model is wrapped: the room of `distributed`, which is above this one, answers.
Must not know: processes, meshes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["DistributedDataParallel", "Replicas", "when_asked_for_replicas"]


class Replicas(Protocol):
    """The copies of a model, of which this process has one or all."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Gives all copies the first one's values, in place."""

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Gives all copies the mean of theirs, in place."""

    def used(self, flags: Sequence[bool]) -> list[bool]:
        """Returns which flags are set in some copy."""

    def take_in(self, inputs: Any) -> Any:
        """Returns arguments of a call as the copies take them."""

    def let_out(self, outputs: Any, inputs: Any) -> Any:
        """Returns a call's results, given its arguments as they came."""


_answer: Callable[[Any, Any], Replicas] | None = None


def when_asked_for_replicas(answer: Callable[[Any, Any], Replicas]) -> None:
    """Says who makes the copies, given a process group and a mesh; rooms above this one call it."""
    global _answer
    _answer = answer


class DistributedDataParallel(Module):
    """Wraps a model under the name ``module``; its gradients are the means of those of all copies.

    With a process group each process calls its own copy with its own share of a batch. With ``device_mesh`` in one
    process the model lies on all its devices, and a batch is divided among them: parameters become tensors on the mesh.
    Options about buckets and buffers' views choose among torch's ways to do the same and are accepted. ValueError
    before `init_process_group`, RuntimeError for a model without parameters.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        delay_all_reduce_named_params: Any = None,
        param_to_hook_all_reduce: Any = None,
        mixed_precision: Any = None,
        device_mesh: Any = None,
        skip_all_reduce_unused_params: bool = False,
        bucket_cap_mb_list: list[int] | None = None,
        batched_grad_copy: bool = False,
        forward_sync_buffers: bool | None = None,
    ) -> None:
        super().__init__()
        if process_group is not None and device_mesh is not None:
            raise RuntimeError("Cannot specify both process_group and device_mesh arguments.")
        if delay_all_reduce_named_params is not None or mixed_precision is not None:
            raise NotImplementedError(
                "DistributedDataParallel: delay_all_reduce_named_params and mixed_precision are not supported; use "
                "torch.autocast for the latter"
            )
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError(
                "device_ids can only be None or contain a single element. For several devices give device_mesh"
            )
        if _answer is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to call init_process_group."
            )
        ignored = getattr(module, "_ddp_params_and_buffers_to_ignore", ())
        self._averaged = [p for name, p in module.named_parameters() if p.requires_grad and name not in ignored]
        if not self._averaged:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters that require a "
                "gradient."
            )
        self._shared = [b for name, b in module.named_buffers() if name not in ignored]
        self.module = module
        self.device_ids = None if device_ids is None else list(device_ids)
        self.output_device, self.dim = output_device, dim
        self.process_group, self.device_mesh = process_group, device_mesh
        self.broadcast_buffers = broadcast_buffers is not False and forward_sync_buffers is not False
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view, self.static_graph = gradient_as_bucket_view, static_graph
        self.require_backward_grad_sync = True
        self._replicas = _answer(process_group, device_mesh)
        self._arrived: list[Tensor] = []
        self._expected = {id(p) for p in self._averaged}
        if init_sync:
            frozen = [p for p in module.parameters() if not p.requires_grad]
            with no_grad():
                self._replicas.share([*self._averaged, *frozen, *self._shared])
        for p in self._averaged:
            p.register_post_accumulate_grad_hook(self._took)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Lets gradients add up in each copy within the block; the next backward outside averages the sums."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Returns what the model gives."""
        syncs = modes.grad and self.require_backward_grad_sync
        if syncs and self._arrived:
            self._arrived.clear()
            raise RuntimeError(
                "Expected to have finished reduction in the prior iteration before starting a new one. This error "
                "indicates that your module has parameters that were not used in producing loss. You can enable unused "
                "parameter detection by passing the keyword argument `find_unused_parameters=True` to "
                "`torch.nn.parallel.DistributedDataParallel`, and by making sure all `forward` function outputs "
                "participate in calculating loss."
            )
        if syncs and self.broadcast_buffers and self._shared and self.training:
            with no_grad():
                self._replicas.share(self._shared)
        args, named = self._replicas.take_in((inputs, kwargs))
        got = self._replicas.let_out(self.module(*args, **named), (inputs, kwargs))
        if syncs and self.find_unused_parameters:
            self._expected = {id(p) for p in _leaves_behind(got)} & {id(p) for p in self._averaged}
        return got

    def _took(self, p: Tensor) -> None:
        """Is told of each gradient; averages them all when the last has come."""
        if not self.require_backward_grad_sync:
            return
        self._arrived.append(p)
        if len({id(q) for q in self._arrived} & self._expected) < len(self._expected):
            return
        self._arrived.clear()
        with no_grad():
            self._average()

    def _average(self) -> None:
        chosen = self._averaged
        if self.find_unused_parameters:
            flags = self._replicas.used([id(p) in self._expected for p in chosen])
            chosen = [p for p, on in zip(chosen, flags, strict=True) if on]
        for p in chosen:
            if p.grad is None:
                p.grad = FUNCTIONS["zeros_like"](p)
        self._replicas.mean([p.grad for p in chosen])


def _leaves_behind(outputs: Any) -> Iterator[Tensor]:
    """Yields the leaves that a call's results came from."""
    waiting: list[Any] = []

    def note(value: Any) -> None:
        if isinstance(value, Tensor):
            waiting.append(value._edge if value._edge is not None else value)
        elif isinstance(value, dict):
            for member in value.values():
                note(member)
        elif isinstance(value, (list, tuple)):
            for member in value:
                note(member)

    note(outputs)
    seen: set[int] = set()
    while waiting:
        edge = waiting.pop()
        node = edge[0] if type(edge) is tuple else edge
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Tensor):
            yield node
        elif isinstance(node, Node):
            waiting.extend(node.edges)
