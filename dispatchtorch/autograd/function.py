"""User-defined ops: ``autograd.Function`` with a forward and a backward of one's own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch._base.late import inspect, traceback
from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.autograd.mapped_function import apply_mapped, is_mapped
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import FREED, FREED_MESSAGE, Node, edge_of, next_seq, saved_error
from dispatchtorch.dispatch.packing import Packed, pack
from dispatchtorch.dispatch.record import INFERENCE_SAVED, check_inplace, rebase, refresh
from dispatchtorch.tensor.tensor import Tensor, alias_of, cell_of, extra_of, new

__all__ = [
    "BackwardCFunction",
    "Function",
    "FunctionCtx",
    "FunctionMeta",
    "InplaceFunction",
    "NestedIOFunction",
    "once_differentiable",
]

_NO_BACKWARD: Final = (
    "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
    "mode AD."
)
_LEGACY: Final = (
    "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
    "with static forward method. (Example: "
    "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
)


class FunctionCtx(Node):
    """What a Function's forward and backward share; it is the node of the call."""

    needs_input_grad: tuple[bool, ...] = ()
    named = False  # a Function's own class is made with it
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

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Does nothing: what shares a storage is known."""
        warnings.warn(
            "`mark_shared_storage` is deprecated. Tensors with shared storages are automatically tracked. Note that "
            "calls to `set_()` are not tracked",
            FutureWarning,
            stacklevel=2,
        )

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

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """Returns what `saved_tensors` does, under its old name."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def dirty_tensors(self) -> tuple[Tensor, ...] | None:
        """Returns what `mark_dirty` was told."""
        return self.dirty or None

    @property
    def non_differentiable(self) -> tuple[Tensor, ...] | None:
        """Returns what `mark_non_differentiable` was told."""
        return self.constant or None

    @property
    def _forward_cls(self) -> type[Function]:
        return self.function

    def _restore(self, t: Tensor | Packed | None, version: int, output: int | None) -> Tensor | None:
        if t is None:
            return None
        if isinstance(t, Packed):
            return t.unpack(None if output is None else self if self.keys is None else (self, output))
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
        function = self.function
        own, other = function.backward is not Function.backward, function.vjp is not Function.vjp
        if own and other:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
                "implement one of them."
            )
        got = function.vjp(self, *given) if other else function.backward(self, *given)
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
        if len(self.tensor_at) != self.inputs:
            for i, one in enumerate(grads):
                if one is not None and i not in self.tensor_at:
                    raise RuntimeError(
                        f"function {self.name()} returned a gradient different than None at position {i + 1}, but the "
                        "corresponding forward input was not a Variable"
                    )
        return [grads[i] for i in self.tensor_at]

    def release(self) -> None:
        """Drops what was saved."""
        if self.kept:
            self.kept = FREED


BackwardCFunction = FunctionCtx


class FunctionMeta(type):
    """Knows for each Function the class of its nodes."""

    @property
    def _backward_cls(cls) -> type[FunctionCtx]:
        kind: type[FunctionCtx] | None = cls.__dict__.get("_ctx_class")
        if kind is None:
            facts = {"__module__": "torch.autograd.function"}
            kind = cls._ctx_class = type(cls.__name__ + "Backward", (FunctionCtx,), facts)
        return kind


class Function(metaclass=FunctionMeta):
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

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future "
            "version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raises RuntimeError: a Function is used by `apply`."""
        raise RuntimeError(_LEGACY)

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
        raise NotImplementedError(_NO_BACKWARD)

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Returns what `backward` does, under its other name."""
        raise NotImplementedError(_NO_BACKWARD)

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Returns the outputs' tangents for those of the inputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Returns outputs and their batch dimensions for inputs with these."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Returns what forward gives, recorded so that backward is used for its gradient."""
        if LEVELS.stack and is_mapped(cls, Function, args):
            return apply_mapped(cls, Function, args)
        ctx: FunctionCtx = new(cls._backward_cls)
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
                if kwargs:
                    args, kwargs = _positional(cls.forward, args, kwargs), {}
                    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._key.requires for a in args)
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        finally:
            modes.grad = before
        if not (before and any(ctx.needs_input_grad)):
            return output
        return _record(ctx, args, output)


def _kept(t: Tensor | None, output: int | None) -> tuple[Tensor | Packed | None, int, int | None]:
    """Returns what to keep of a saved tensor; an output is kept as an alias, lest it hold the node that holds it."""
    if t is None:
        return None, 0, None
    if t._key.inference:
        raise RuntimeError(INFERENCE_SAVED)
    if modes.packing:
        return pack(t, own_output=output is not None), 0, output
    return (t if output is None else alias_of(t)), t._version, output


def _record(ctx: FunctionCtx, args: tuple[Any, ...], output: Any) -> Any:
    several = isinstance(output, tuple)
    outs = list(output) if several else [output]
    ctx.op = None  # type: ignore[assignment]  # the class itself says what a run does
    ctx.seq = next_seq()
    if anomaly.on:
        ctx.where = "".join(traceback.format_stack()[:-2])
    ctx.inputs = len(args)
    ctx.tensor_at = tuple(i for i, a in enumerate(args) if isinstance(a, Tensor))
    ctx.edges = tuple(edge_of(args[i]) for i in ctx.tensor_at)
    ctx.saved, ctx.versions = (), None
    _check_marks(ctx, outs)
    dirty = {id(t) for t in ctx.dirty}
    constant = {id(t) for t in ctx.constant}
    known = {id(a) for a in args if isinstance(a, Tensor)}
    outputs: dict[int, int] = {}
    views: list[Tensor] = []
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
            source, out = out, alias_of(out)
            outs[i] = out
            if id(source) in known:
                above, extra = source._extra, extra_of(out)
                extra.base = source if above is None or above.base is None else above.base
                extra.seen = cell_of(out).rebased
                views.append(out)
        elif out._extra is not None and out._extra.base is not None:
            views.append(out)
        outputs[id(out)] = i
    for out in views:
        extra_of(out).creation = "function" if len(outputs) == 1 else "multi:function"
        extra_of(out).seen = cell_of(out).rebased
        out._key = out._key.fresh(out._key.zero_dim, out._key.requires, True)
    if len(outputs) > 1 and any(t._extra is not None and t._extra.base is not None for t in ctx.dirty):
        raise RuntimeError(_DIRTY_VIEW)
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


_DIRTY_VIEW: Final = (
    "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more "
    "than one Tensor. This is not supported by the current autograd engine. You should either make sure the input is "
    "not a view (using .clone() for example) or make your Function only return one Tensor (potentially splitting it "
    "into two Functions: one doing the inplace that returns a single Tensor and a second one that does the other "
    "operations). "
    "You can ask on the forum https://discuss.pytorch.org/ if you need help to do this change."
)


def _positional(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    bound = inspect.signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


def _check_marks(ctx: FunctionCtx, outs: list[Any]) -> None:
    """Raises PyTorch's error where forward saved or marked what it could not."""
    for i, t in enumerate(ctx.to_save):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
            )
    for i, t in enumerate(ctx.dirty):
        if not isinstance(t, Tensor):
            raise RuntimeError(f"mark_dirty can only accept variables, but argument {i} is of type {type(t).__name__}")
    if not {id(t) for t in ctx.dirty} <= {id(o) for o in outs}:
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
            "modified inplace must all be outputs of the Function."
        )
    for t in ctx.constant:
        if not isinstance(t, Tensor):
            raise RuntimeError(f"mark_non_differentiable only accepts variable arguments, but got {type(t).__name__}")


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


class InplaceFunction(Function):
    """A Function that says whether it writes into its input; kept for old programs."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """A Function whose arguments and results may be nested lists, tuples and dicts of tensors.

    Subclass it with static ``forward_extended(ctx, *args)`` and ``backward_extended(ctx, *gradients)``: the first
    returns a nested result, the second gets gradients nested like it and returns one for each argument, nested alike.
    """

    _leaves: Any

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Returns what ``forward_extended`` gives."""
        given, spec = tree_flatten(args)
        told: dict[str, Any] = {"spec": spec, "kwargs": kwargs}
        outs = super().apply(told, *given)
        return tree_unflatten(list(outs), told["result"])

    @staticmethod
    def forward(ctx: Any, told: dict[str, Any], *given: Any) -> Any:
        """Returns the leaves of the nested result."""
        ctx.spec, ctx.told = told["spec"], told
        result = ctx.function.forward_extended(ctx, *tree_unflatten(list(given), told["spec"]), **told["kwargs"])
        outs, told["result"] = tree_flatten(result)
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Returns the leaves of the nested gradients."""
        nested = tree_unflatten(list(grad_outputs), ctx.told["result"])
        given = nested if isinstance(nested, tuple) else (nested,)
        got = ctx.function.backward_extended(ctx, *given)
        leaves, _ = tree_flatten(got if isinstance(got, tuple) else (got,))
        return (None, *leaves)

    @staticmethod
    def forward_extended(ctx: Any, *args: Any) -> Any:
        """Returns the nested result; to be written by the subclass."""
        raise NotImplementedError

    @staticmethod
    def backward_extended(ctx: Any, *grad_output: Any) -> Any:
        """Returns the nested gradients; to be written by the subclass."""
        raise NotImplementedError
