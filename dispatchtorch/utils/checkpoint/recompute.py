"""Checkpoints by hooks on saved tensors: the part runs again when backward asks for the first of them.

In forward, each saved tensor is replaced by an empty `_Slot`. When one is to be unpacked, the part runs again under
hooks that fill the slots in the same order, and stops as soon as all are filled. What the inputs were is kept by a node
of their own, made before the hooks are on, so that checkpoints within checkpoints keep theirs as the outer one says.
"""

from __future__ import annotations

import contextlib
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from dispatchtorch.autograd.engine import current_walk
from dispatchtorch.autograd.function import Function
from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.autograd.graph import saved_tensors_hooks
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.random.generator import get_rng_state
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.utils.checkpoint.state import restored

__all__ = [
    "CheckpointError",
    "Frame",
    "GraphExecGroup",
    "forward_of",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

_TIP: Final = (
    "\nTip: To see a more detailed error message, either pass `debug=True` to\n"
    "`torch.utils.checkpoint.checkpoint(...)` or wrap the code block\n"
    "with `with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):` to\n"
    "enable checkpoint\N{NON-BREAKING HYPHEN}debug mode globally.\n"
)
_settings: Final[dict[str, Any]] = {"early_stop": True, "debug": None}


class CheckpointError(RuntimeError):
    """The part did not do the same again."""


class _Stop(Exception):
    """Ends a run whose saved tensors are all there."""


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Says whether parts stop, when they run again, as soon as all that was saved is there; yes unless told."""
    before = _settings["early_stop"]
    _settings["early_stop"] = enable
    try:
        yield
    finally:
        _settings["early_stop"] = before


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Says for the block, over what `checkpoint` is told, whether errors show where tensors were saved."""
    before = _settings["debug"]
    _settings["debug"] = enabled
    try:
        yield
    finally:
        _settings["debug"] = before


class GraphExecGroup:
    """Backward walks that count as one: what a checkpoint computed again in one of them serves the others too."""

    _inside: GraphExecGroup | None = None

    def __enter__(self) -> GraphExecGroup:
        if GraphExecGroup._inside is not None:
            raise RuntimeError(
                f"GraphExecGroup contexts cannot be nested. Already inside group {GraphExecGroup._inside}"
            )
        GraphExecGroup._inside = self
        return self

    def __exit__(self, *exc: object) -> None:
        GraphExecGroup._inside = None

    @classmethod
    def _get_current_group(cls) -> GraphExecGroup | None:
        return GraphExecGroup._inside


class _Slot:
    """Where a saved tensor goes when the part has run again: one value for each backward walk."""

    __slots__ = ("__weakref__", "values")

    def __init__(self) -> None:
        self.values: dict[Any, Tensor | None] = {}


class _Inputs(Function):
    """Keeps the inputs as any node keeps tensors, so that writes to them are noticed and outer hooks see them."""

    @staticmethod
    def forward(ctx: Any, starter: Tensor, *tensors: Tensor) -> Tensor:
        """Returns nothing of interest: the node is what is wanted."""
        ctx.save_for_backward(*tensors)
        nothing: Tensor = FUNCTIONS["empty"]((0,))
        return nothing

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Raises AssertionError: nothing depends on the output."""
        raise AssertionError("Did not expect to backward on this graph")


def _default_metadata(t: Tensor) -> dict[str, Any]:
    return {"shape": t.shape, "dtype": t.dtype, "device": t.device}


METADATA: Final[dict[str, Callable[[Tensor], Any]]] = {"default": _default_metadata, "none": lambda t: None}


class Frame:
    """One checkpoint's part: how to run it again, and the slots of what it saved."""

    def __init__(self, again: Callable[..., Any], early_stop: bool, determinism_check: str, debug: bool) -> None:
        self.again = again
        self.inputs: Any = None  # the node of `_Inputs`
        self.early_stop = early_stop
        self.metadata_of = METADATA[determinism_check]
        self.debug = debug
        self.slots: list[weakref.ref[_Slot]] = []
        self.metadata: list[Any] = []
        self.where: list[str] = []
        self.counts: dict[Any, int] = {}
        self.done: set[Any] = set()
        self.completed = False
        self.ignores_count = False

    # forward

    def pack(self, t: Tensor) -> _Slot:
        """Returns an empty slot, and remembers what belongs there."""
        slot = _Slot()
        self.slots.append(weakref.ref(slot))
        with _no_hooks():
            self.metadata.append(self.metadata_of(t))
        if self.debug:
            self.where.append("".join(traceback.format_stack(limit=12)[:-3]))
        return slot

    # backward

    def unpack(self, slot: _Slot) -> Tensor:
        """Returns what belongs in a slot, after running the part again if this is the first one asked for."""
        walk = GraphExecGroup._inside or current_walk() or object()
        if walk not in self.done:
            self._run(walk)
            self.done.add(walk)
            self._check(walk)
        if walk not in slot.values:
            raise CheckpointError(
                self._explained(
                    "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                    f"recomputation.\nNumber of tensors saved during forward: {len(self.slots)}\n"
                    f"Number of tensors saved during recomputation: {self.counts.get(walk, 0)}.\n",
                    [],
                )
            )
        found = slot.values[walk]
        if found is None:
            extra = ""
            if GraphExecGroup._inside is not None:
                extra = (
                    "Performing two backward calls that overlap (i.e. require the same saved activation in order to "
                    "compute gradients) is not allowed while under the torch.utils.checkpoint.GraphExecGroup context. "
                )
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. "
                f"{extra}If you are calling ctx.saved_tensors in backward, make sure to do so only once. Otherwise "
                "please open an issue with details on your use case."
            )
        slot.values[walk] = None
        return found

    def _run(self, walk: Any) -> None:
        tensors = self.inputs.saved_tensors
        again: list[str] = []

        def fill(t: Tensor) -> Tensor:
            place = self.counts.get(walk, 0)
            self.counts[walk] = place + 1
            if self.debug:
                again.append("".join(traceback.format_stack(limit=12)[:-3]))
            if place >= len(self.slots):
                if not self.completed:  # backward within the part itself
                    self.ignores_count = True
                    return t
                raise CheckpointError(
                    self._explained(
                        "torch.utils.checkpoint: trying to save more tensors during recomputation than during the "
                        "original forward pass.\n",
                        again,
                    )
                )
            slot = self.slots[place]()
            if slot is not None:
                slot.values[walk] = t.detach()
            if self.early_stop and place + 1 == len(self.slots):
                raise _Stop
            return t.detach()

        self.counts[walk] = 0
        self._again_where = again
        try:
            with saved_tensors_hooks(fill, lambda t: t), enable_grad():
                self.again(*tensors)
        except _Stop:
            pass

    def _check(self, walk: Any) -> None:
        if self.ignores_count:
            return
        count = self.counts[walk]
        if count != len(self.slots):
            raise CheckpointError(
                self._explained(
                    "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                    f"recomputation.\nNumber of tensors saved during forward: {len(self.slots)}\n"
                    f"Number of tensors saved during recomputation: {count}.\n",
                    self._again_where,
                )
            )
        different = []
        for i, (ref, then) in enumerate(zip(self.slots, self.metadata, strict=True)):
            slot = ref()
            found = None if slot is None else slot.values.get(walk)
            if found is not None and (now := self.metadata_of(found)) != then:
                different.append(f"tensor at position {i}:\nsaved metadata: {then}\nrecomputed metadata: {now}")
        if different:
            shown = "\n".join(different)
            raise CheckpointError(
                self._explained(
                    "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                    f"during the forward pass.\n{shown}\n.\n",
                    self._again_where,
                )
            )

    def _explained(self, sentence: str, again: list[str]) -> str:
        if not self.debug:
            return sentence + _TIP
        shown = [f"{sentence}\nWhere the original forward saved tensors:\n"]
        shown += [f"--- tensor {i} ---\n{where}" for i, where in enumerate(self.where)]
        shown.append("\nWhere the recomputation saved tensors:\n")
        shown += [f"--- tensor {i} ---\n{where}" for i, where in enumerate(again)]
        return "\n".join(shown)


@contextlib.contextmanager
def _no_hooks() -> Iterator[None]:
    before, modes.packing = modes.packing, ()
    try:
        yield
    finally:
        modes.packing = before


def forward_of(
    function: Callable[..., Any],
    preserve: bool,
    context_fn: Callable[[], tuple[Any, Any]],
    determinism_check: str,
    debug: bool,
    early_stop: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Returns what the part returns, with slots for all that it saves for backward."""
    if _settings["debug"] is not None:
        debug = _settings["debug"]
    if determinism_check not in METADATA:
        raise ValueError(f"determinism_check should be one of {list(METADATA)}, but got {determinism_check}")
    forward_context, recompute_context = context_fn()
    state = get_rng_state() if preserve else None
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    others = [None if isinstance(a, Tensor) else a for a in args]

    def again(*tensors: Tensor) -> None:
        given = list(others)
        for i, t in zip(places, tensors, strict=True):
            given[i] = t
        with restored(state), recompute_context:
            function(*given, **kwargs)

    if not modes.grad:
        with forward_context:
            return function(*args, **kwargs)
    frame = Frame(again, _settings["early_stop"] and early_stop, determinism_check, debug)
    starter = FUNCTIONS["empty"]((0,)).requires_grad_()
    frame.inputs = _Inputs.apply(starter, *[args[i] for i in places])._edge
    with saved_tensors_hooks(frame.pack, frame.unpack), forward_context:
        result = function(*args, **kwargs)
    frame.completed = True
    return result
