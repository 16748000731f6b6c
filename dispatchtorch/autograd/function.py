"""User-defined ops: ``autograd.Function`` with a forward and a backward of one's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import FREED, FREED_MESSAGE, Node, edge_of, next_seq, saved_error
from dispatchtorch.dispatch.record import check_inplace, rebase, refresh
from dispatchtorch.tensor.tensor import Tensor, alias_of, cell_of, new

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx(Node):
    """What a Function's forward and backward share; it is the node of the call."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize: bool = True
    dirty: tuple[Tensor, ...] = ()
    constant: tuple[Tensor, ...] = ()
    special = True
    function: type[Function]
    to_save: tuple[Tensor | None, ...] = ()
    kept: Any = None
    inputs: int = 0
    tensor_at: tuple[int, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for `backward`, with a check that nobody writes them in between."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for forward-mode differentiation."""
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Says which inputs forward wrote in place."""
        self.dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Says which outputs have no gradient."""
        self.constant = args

    def set_materialize_grads(self, value: bool) -> None:
        """Sets whether missing gradients arrive as zeros (the default) or as None."""
        self.materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """Returns what was saved; RuntimeError if one was written since or all were freed."""
        if self.kept is None:
            return tuple(self.to_save)
        if self.kept is FREED:
            raise RuntimeError(FREED_MESSAGE)
        return tuple(self._restore(*part) for part in self.kept)

    def _restore(self, t: Tensor | None, version: int, output: int | None) -> Tensor | None:
        if t is None:
            return None
        if output is not None:  # kept without its history, which is this very node
            t = alias_of(t)
            t._key = t._key.as_requires(True)
            t._edge = self if self.keys is None else (self, output)
        if t._version != version:
            raise saved_error(t, version)
        return t

    def name(self) -> str:
        """Returns "MyFunctionBackward" for MyFunction."""
        return self.function.__name__ + "Backward"

    def run(self, g: Any) -> Any:
        """Returns the gradients for the call's tensors, from the Function's own backward."""
        given = g if self.keys is not None else (g,)
        got = self.function.backward(self, *given)
        grads = got if isinstance(got, tuple) else (got,)
        for one in grads:
            if one is not None and not isinstance(one, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(one).__name__})")
        if len(grads) > self.inputs and all(x is None for x in grads[self.inputs :]):
            grads = grads[: self.inputs]
        if len(grads) != self.inputs:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {self.inputs}, got "
                f"{len(grads)})"
            )
        return [grads[i] for i in self.tensor_at]

    def release(self) -> None:
        """Drops what was saved."""
        if self.kept:
            self.kept = FREED


class Function:
    """A differentiable op of one's own: subclass it, write ``forward`` and ``backward``, call ``apply``.

    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Double.apply(x).backward()
    >>> x.grad
    tensor(2.)
    """

    _ctx_class: type[FunctionCtx]  # each Function's own, so that the type of grad_fn has its name

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the class itself. Instantiating an autograd function is not allowed."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Returns the output; takes ``ctx`` first unless `setup_context` is given."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keeps what `backward` needs; with it, forward takes no ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Returns one gradient (or None) for each argument of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Returns what forward gives, recorded so that backward is used for its gradient."""
        kind = cls.__dict__.get("_ctx_class")
        if kind is None:
            kind = cls._ctx_class = type(cls.__name__ + "Backward", (FunctionCtx,), {})
        ctx: FunctionCtx = new(kind)
        ctx.function = cls
        for a in args:
            if isinstance(a, Tensor) and a._key.view:
                refresh(a)
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._key.requires for a in args)
        before = modes.grad
        modes.grad = False
        try:
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args, **kwargs)
            else:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, output)
        finally:
            modes.grad = before
        if not (before and any(ctx.needs_input_grad)):
            return output
        return _record(ctx, args, output)


def _kept(t: Tensor | None, output: int | None) -> tuple[Tensor | None, int, int | None]:
    """Returns what to keep of a saved tensor; an output is kept as an alias, lest it hold the node that holds it."""
    if t is None:
        return None, 0, None
    return (t if output is None else alias_of(t)), t._version, output


def _record(ctx: FunctionCtx, args: tuple[Any, ...], output: Any) -> Any:
    several = isinstance(output, tuple)
    outs = list(output) if several else [output]
    ctx.op = None  # type: ignore[assignment]  # the class itself says what a run does
    ctx.seq = next_seq()
    ctx.inputs = len(args)
    ctx.tensor_at = tuple(i for i, a in enumerate(args) if isinstance(a, Tensor))
    ctx.edges = tuple(edge_of(args[i]) for i in ctx.tensor_at)
    ctx.saved, ctx.versions = (), None
    dirty = {id(t) for t in ctx.dirty}
    constant = {id(t) for t in ctx.constant}
    known = {id(a) for a in args if isinstance(a, Tensor)}
    outputs: dict[int, int] = {}
    for i, out in enumerate(outs):
        if not isinstance(out, Tensor) or id(out) in constant or out._key.dtype.category < FLOATING:
            continue
        if id(out) in dirty:
            cell_of(out).version += 1
            try:
                check_inplace(out, True)
            except RuntimeError as error:  # forward has written already: PyTorch says so
                raise RuntimeError(str(error).replace("is being used", "has been used")) from None
        elif id(out) in known or out._key.requires:
            out = outs[i] = alias_of(out)
        outputs[id(out)] = i
    tensors = [o for o in outs if isinstance(o, Tensor)]
    ctx.shape = tuple(o._a.shape if isinstance(o, Tensor) else () for o in outs) if several else tensors[0]._a.shape
    ctx.kept = tuple([_kept(t, None if t is None else outputs.get(id(t))) for t in ctx.to_save])
    for out in outs:
        at = outputs.get(id(out))
        if at is None:
            continue
        if id(out) in dirty:
            rebase(out, ctx, has_self=True)
        out._key = out._key.as_requires(True)
        out._edge = (ctx, at) if several else ctx
    if several:
        ctx.shape = tuple(o._a.shape if isinstance(o, Tensor) else () for o in outs)
        ctx.keys = tuple(o._key if isinstance(o, Tensor) else args[ctx.tensor_at[0]]._key for o in outs)
    ctx.to_save = ()
    return tuple(outs) if several else outs[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a backward that cannot be differentiated again: trying raises torch's error."""

    @functools.wraps(backward)
    def once(ctx: Any, *gs: Any) -> Any:
        before = modes.grad
        modes.grad = False
        try:
            got = backward(ctx, *gs)
        finally:
            modes.grad = before
        if not before or not any(isinstance(g, Tensor) and g._key.requires for g in gs):
            return got
        outs = got if isinstance(got, tuple) else (got,)
        refused = tuple(_Refused.apply(o, *gs) if isinstance(o, Tensor) else o for o in outs)
        return refused if isinstance(got, tuple) else refused[0]

    return once


class _Refused(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *gs: Any) -> Tensor:
        return alias_of(value)

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
