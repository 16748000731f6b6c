"""Backward hooks of modules: they sit in the graph.

An identity node above a module's outputs sees the incoming gradients, another below its inputs sees the leaving ones.
The older kind is called by the node that made the output. Must not know any module class.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from dispatchtorch._base.dtypes import bool_
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node, edge_of, next_seq
from dispatchtorch.tensor.tensor import Tensor, alias_of, cell_of, extra_of, new

__all__ = ["BackwardHooks", "hook_output"]

Hook = Callable[..., Any]

_NO_INPUTS = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
    "gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
    "#torch.nn.Module.register_full_backward_hook for more details."
)


class HookNode(Node):
    """An identity in the graph, where a module's backward hooks are called."""

    on_gradients: Callable[[tuple[Any, ...]], tuple[Any, ...]]

    def name(self) -> str:
        """Returns torch's name for it."""
        return "BackwardHookFunctionBackward"

    def run(self, g: Any) -> Any:
        """Returns what the hooks make of the gradients."""
        return list(self.on_gradients(tuple(g)))

    def release(self) -> None:
        """Drops nothing: nothing is saved."""


def _identity(
    tensors: list[Tensor], on_gradients: Callable[[tuple[Any, ...]], tuple[Any, ...]], *, filled: bool = True
) -> list[Tensor]:
    """Returns the same values behind one node whose gradients pass through ``on_gradients``.

    ``filled``: zeros where no gradient arrived, else None.
    """
    node = new(HookNode)
    node.edges = tuple([edge_of(t) for t in tensors])
    node.seq = next_seq()
    node.saved, node.versions = (), None
    node.shape = tuple([tuple(t._a.shape) for t in tensors])
    node.on_gradients = on_gradients
    outs = []
    for i, t in enumerate(tensors):
        out = alias_of(t)
        if t._key.requires:  # what needs none gets zeros, as in torch
            above, extra = t._extra, extra_of(out)
            extra.base = t if above is None or above.base is None else above.base
            extra.seen = cell_of(out).rebased
            extra.creation = "function" if len(tensors) == 1 else "multi:function"  # not to be written to
            out._key = out._key.fresh(out._key.zero_dim, True, True)
            out._edge = (node, i)
        outs.append(out)
    empty = [o._key.as_dtype(bool_) for o in outs]  # a dtype without gradients: the engine lays no zeros there
    node.keys = tuple([o._key for o in outs] if filled else empty)
    return outs


def _places(values: tuple[Any, ...]) -> list[int]:
    return [i for i, v in enumerate(values) if isinstance(v, Tensor)]


def _put(values: tuple[Any, ...], places: list[int], members: list[Tensor]) -> tuple[Any, ...]:
    filled = list(values)
    for i, member in zip(places, members, strict=True):
        filled[i] = member
    return type(values)(*filled) if hasattr(values, "_fields") else tuple(filled)


def _spread(count: int, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    full: list[Any] = [None] * count
    for i, g in zip(places, gradients, strict=True):
        full[i] = g
    return tuple(full)


def _of_sizes(got: Any, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns what a hook gave in place of gradients; RuntimeError where sizes differ."""
    now = tuple(got)
    for g, old in zip(now, before, strict=True):
        if isinstance(g, Tensor) and isinstance(old, Tensor) and g.shape != old.shape:
            raise RuntimeError("hook 'hook' has changed the size of value")
    return now


class BackwardHooks:
    """One call's backward hooks: wraps inputs and outputs in identity nodes and calls the hooks in torch's order."""

    def __init__(self, module: Any, pre: list[Hook], post: list[Hook]) -> None:
        self.module, self.pre, self.post = module, pre, post
        self.grad_outputs: tuple[Any, ...] | None = None
        self.input_places: list[int] = []
        self.input_count = 0
        self.wrapped_inputs = False

    def wrap_inputs(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the inputs behind the node at which gradients leave the module."""
        places = _places(inputs)
        self.input_count = len(inputs)
        if not (modes.grad and any(inputs[i]._key.requires for i in places)):
            return inputs
        self.input_places, self.wrapped_inputs = places, True
        return _put(inputs, places, _identity([inputs[i] for i in places], self._leave))

    def wrap_outputs(self, result: Any) -> Any:
        """Returns the outputs behind the node at which gradients enter the module."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=5,
            )
            return result
        values = (result,) if isinstance(result, Tensor) else result
        places = _places(values)
        if not (modes.grad and any(values[i]._key.requires for i in places)):
            return result
        count = len(values)

        def enter(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
            return self._enter(count, places, gradients)

        members = _identity([values[i] for i in places], enter, filled=False)
        outs = _put(values, places, members)
        return outs[0] if isinstance(result, Tensor) else outs

    def _enter(self, count: int, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        full = _spread(count, places, gradients)
        for hook in self.pre:
            got = hook(self.module, full)
            if got is not None:
                if len(got) != count:
                    raise RuntimeError(
                        f"Backward pre hook returned an invalid number of grad_output, got {len(got)}, but "
                        f"expected {count}"
                    )
                full = _of_sizes(got, full)
        self.grad_outputs = full
        if not self.wrapped_inputs:
            warnings.warn(_NO_INPUTS, stacklevel=2)
            self._call_post((None,) * self.input_count, check=False)
        return tuple([full[i] for i in places])

    def _leave(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_outputs is None:
            return gradients
        full = self._call_post(_spread(self.input_count, self.input_places, gradients), check=True)
        self.grad_outputs = None
        return tuple([full[i] for i in self.input_places])

    def _call_post(self, full: tuple[Any, ...], *, check: bool) -> tuple[Any, ...]:
        for hook in self.post:
            got = hook(self.module, full, self.grad_outputs)
            if got is None:
                continue
            if not check:
                if isinstance(got, tuple) and all(g is None for g in got):
                    continue
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
            if len(got) != len(full):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(got)}, but expected {len(full)}"
                )
            full = _of_sizes(got, full)
        return full


# --- the older kind --------------------------------------------------------------------------------------------------


def _tuple_of_tensors(value: Any) -> tuple[Any, ...] | None:
    if isinstance(value, Tensor):
        return (value,)
    return value if isinstance(value, tuple) and all(isinstance(v, Tensor) for v in value) else None


def _deprecated(what: str, missing: str, instead: bool = True) -> None:
    advice = " Please use register_full_backward_hook to get the documented behavior." if instead else ""
    warnings.warn(
        f"Using {what} is deprecated and will be removed in future versions. This hook will be missing {missing}."
        f"{advice}",
        FutureWarning,
        stacklevel=5,
    )


def _warn(args: Any, result: Any, node: Any) -> None:
    """Says what an older hook will not see."""
    many = "non-full backward hooks on a Module that does not"
    outs = _tuple_of_tensors(result)
    if outs is None:
        _deprecated(f"{many} return a single Tensor or a tuple of Tensors", "some of the grad_output")
        return
    inputs = _tuple_of_tensors(args)
    if inputs is None:
        _deprecated(f"{many} take as input a single Tensor or a tuple of Tensors", "some of the grad_input")
        return
    one = "a non-full backward hook when"
    nodes = {o.grad_fn for o in outs if o.grad_fn is not None}
    if not nodes or (len(nodes) == 1 and node not in nodes):
        _deprecated(f"{one} outputs are nested in python data structure", "some grad_output", instead=False)
    elif len(nodes) > 1:
        _deprecated(f"{one} outputs are generated by different autograd Nodes", "some grad_output")
    elif {i.grad_fn for i in inputs if i.grad_fn is not None} != {n[0] for n in node.next_functions}:
        _deprecated(f"{one} the forward contains multiple autograd Nodes", "some grad_input")


def hook_output(module: Any, hooks: list[Hook], args: tuple[Any, ...], result: Any) -> None:
    """Lets the node that made the first tensor of an output call hooks of the older kind."""
    first = result
    while not isinstance(first, Tensor):
        first = next(v for v in first.values() if isinstance(v, Tensor)) if isinstance(first, dict) else first[0]
    node: Any = first.grad_fn
    if node is not None:
        for hook in hooks:
            node.register_hook(partial(hook, module))
        _warn(args, result, node)
