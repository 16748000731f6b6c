"""``torch.library``: functions of a program's own as ops, with derivatives of their own, found under `torch.ops`.

Such an op is a Python function over tensors. For ops with kernels for each array library see `dispatchtorch.plugin`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from dispatchtorch.autograd.function import Function
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.custom import OPS
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["CustomOpDef", "custom_op", "register_autograd", "register_fake", "register_kernel"]

_DEFINED: Final[dict[str, CustomOpDef]] = {}


class CustomOpDef:
    """An op that a program defined: called like its function, with no history but that of its own derivative."""

    def __init__(
        self, name: str, fn: Callable[..., Any], mutates_args: str | Iterable[str], schema: str | None
    ) -> None:
        self._qualname = name
        self._namespace, _, self._name = name.partition("::")
        self._function = fn
        self._signature = inspect.signature(fn)
        self._mutates = tuple(self._signature.parameters) if mutates_args == "unknown" else tuple(mutates_args)
        self._schema = schema
        self._kernels: dict[str, Callable[..., Any]] = {}
        self._fake: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., Any] | None = None
        self.__name__, self.__doc__ = self._name, fn.__doc__

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    @property
    def default(self) -> CustomOpDef:
        """Returns the op: it has one overload."""
        return self

    def register_kernel(self, device_types: str | Sequence[str] | None, fn: Any = None, /) -> Any:
        """Says what computes the op on devices of these types, on all for None; a decorator without the function."""

        def register(fn: Callable[..., Any]) -> Callable[..., Any]:
            if device_types is None:
                self._function = fn
            else:
                for kind in (device_types,) if isinstance(device_types, str) else device_types:
                    self._kernels[kind] = fn
            return fn

        return register if fn is None else register(fn)

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Says what shapes come out; kept, and never asked: nothing here runs without data."""
        self._fake = fn
        return fn

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Any = None) -> None:
        """Says what the derivative is: ``backward(ctx, *grads)``, with what ``setup_context`` kept."""
        self._backward, self._setup = backward, setup_context

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the function returns."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        kernel = self._kernel(bound.args)
        wanted = [a for a in bound.args if isinstance(a, Tensor) and a._key.requires]
        if not (modes.grad and wanted):
            return kernel(*bound.args, **bound.kwargs)
        return _recorded(self, kernel, bound.kwargs).apply(*bound.args)

    def _kernel(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        for argument in args:
            if isinstance(argument, Tensor):
                return self._kernels.get(argument.device.type, self._function)
        return self._function


def _recorded(op: CustomOpDef, kernel: Callable[..., Any], named: dict[str, Any]) -> Any:
    """Returns the Function of one call of an op."""

    class Call(Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> Any:
            with no_grad():
                output = kernel(*args, **named)
            ctx.mark_dirty(*[a for a, n in zip(args, op._signature.parameters) if n in op._mutates])
            if op._setup is not None:
                if named:
                    op._setup(ctx=ctx, inputs=args, keyword_only_inputs=named, output=output)
                else:
                    op._setup(ctx=ctx, inputs=args, output=output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if op._backward is None:
                raise RuntimeError(
                    f"Trying to backward through {op._qualname}.default but no autograd formula was registered. "
                    "Please use register_autograd to add one."
                )
            return op._backward(ctx, *grads)

    Call.__name__ = Call.__qualname__ = f"GeneratedBackwardFor_{op._namespace}_{op._name}_default"
    return Call


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: str | Sequence[str] | None = None,
    schema: str | None = None,
    tags: Sequence[Any] | None = None,
) -> Any:
    """Returns a function as an op called "namespace::name"; a decorator without the function.

    ValueError for a name without a namespace. The schema is the function's signature; a written one is kept.

    >>> import dispatchtorch as torch
    >>> @torch.library.custom_op("doctest::triple", mutates_args=())
    ... def triple(x: torch.Tensor) -> torch.Tensor:
    ...     return x * 3
    >>> triple.register_autograd(lambda ctx, g: g * 3)
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.autograd.grad(torch.ops.doctest.triple(x).sum(), x)
    (tensor([3., 3.]),)
    """

    def define(fn: Callable[..., Any]) -> CustomOpDef:
        namespace, separator, short = name.partition("::")
        if not (separator and namespace.isidentifier() and short.isidentifier()):
            raise ValueError(
                f"Expected qualname to be of the form 'namespace::name', got {name!r}. The qualname passed to the "
                "torch.library API must consist of a namespace and a name, e.g. aten::sin"
            )
        made = CustomOpDef(name, fn, mutates_args, schema)
        if device_types is not None:
            made.register_kernel(device_types, fn)
        _DEFINED[name] = made
        OPS.give(namespace, short, made)
        return made

    return define if fn is None else define(fn)


def _find(op: str | CustomOpDef) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    if op not in _DEFINED:
        raise RuntimeError(f"There is no op {op} that was defined by torch.library.custom_op")
    return _DEFINED[op]


def register_fake(op: str | CustomOpDef, func: Any = None, /, *, lib: Any = None, allow_override: bool = False) -> Any:
    """Says what shapes come out of an op; a decorator without the function. Kept, and never asked."""
    return _find(op).register_fake if func is None else _find(op).register_fake(func)


def register_autograd(
    op: str | CustomOpDef, backward: Callable[..., Any], /, *, setup_context: Any = None, lib: Any = None
) -> None:
    """Says what the derivative of an op is: see `CustomOpDef.register_autograd`."""
    _find(op).register_autograd(backward, setup_context=setup_context)


def register_kernel(
    op: str | CustomOpDef, device_types: str | Sequence[str] | None, func: Any = None, /, *, lib: Any = None
) -> Any:
    """Says what computes an op on devices of these types; a decorator without the function."""
    return _find(op).register_kernel(device_types, func)
