"""The decorators that turn a paragraph into an op, and the names under which ops are found.

A name that starts with an underscore stays inside; every other one becomes ``dispatchtorch.name``, and with
``method=True`` ``Tensor.name`` too. In-place and ``out=`` forms are derived here, once for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from dispatchtorch._base.dtypes import DType, when_default_changes
from dispatchtorch.dispatch.destination import arguments_for, fill
from dispatchtorch.dispatch.inplace import make_inplace, require_castable, require_shape
from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.op import TABLE, Op
from dispatchtorch.dispatch.overlap import Inputs
from dispatchtorch.dispatch.plans import make_entry
from dispatchtorch.dispatch.views import make_view
from dispatchtorch.plugin.manager import when_plugins_change
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["FUNCTIONS", "METHODS", "TABLE", "composite", "pointwise", "primitive", "view"]

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {}  # public name -> function of the torch namespace
METHODS: Final[dict[str, Callable[..., Any]]] = {}  # method name -> function
COMPOSITES: Final[dict[str, Callable[..., Any]]] = {}  # public composites, with their samples, for the conformance kit


def forget_plans() -> None:
    """Empties all plans, so that every op asks the hooks again; called whenever a plugin comes or goes."""
    for op in TABLE.values():
        op.forget()


when_plugins_change(forget_plans)
when_default_changes(forget_plans)  # integers are computed in it


def _has_body(function: Callable[..., Any]) -> bool:
    """Returns whether a paragraph has more than a docstring and ``...``."""
    code = function.__code__
    return (
        bool(code.co_names)
        or len(code.co_consts) > 2
        or any(c is not None and c is not Ellipsis for c in code.co_consts[1:])
    )


def _register(op: Op, entry: Callable[..., Any]) -> None:
    if op.name in TABLE:
        raise ValueError(f"two ops called {op.name}: {TABLE[op.name].body.__module__} and {op.body.__module__}")
    TABLE[op.name] = op
    op.entry = entry


def _publish(name: str, entry: Callable[..., Any], method: bool, inplace: Callable[..., Any] | None) -> None:
    if not name.startswith("_"):
        FUNCTIONS[name] = entry
        if method:
            METHODS[name] = entry
    if inplace is not None:
        METHODS[name.strip("_") + "_"] = inplace


def _op(body: Callable[..., Any], pointwise: bool, **facts: Any) -> Op:
    return Op(
        body,
        pointwise=pointwise,
        grad=facts.get("grad") or {},
        dtype=facts.get("dtype", "same"),
        kernel=facts.get("kernel"),
        node=facts.get("node"),
        decomposed=_has_body(body),
        samples=facts.get("samples"),
        check=facts.get("check"),
        wide=facts.get("wide", False),
        partial=facts.get("partial", False),
        inputs=facts.get("inputs", "same"),
    )


def pointwise(
    *,
    grad: Mapping[Any, Callable[..., Any]] | None = None,
    dtype: str = "same",
    kernel: str | None = None,
    node: str | Callable[[Node], str] | None = None,
    method: bool = True,
    inplace: bool = True,
    out: bool = True,
    samples: Callable[..., Any] | None = None,
    check: Callable[[Sequence[Any], DType], None] | None = None,
    wide: bool = False,
    inputs: Inputs = "same",
) -> Callable[[F], F]:
    """Declares an elementwise op: promotion, broadcasting, ``op_`` and ``out=`` follow.

    ``dtype``: "same" (the promoted one), "float" (integers become the default float), "bool", "real".
    ``check(keys, common_dtype)`` raises for dtypes that the op refuses; it runs once a plan, not once a call.
    ``wide``: half precision beside a Python number is computed in float32.
    ``inputs``: whether what ``op_`` reads may share memory with what it writes.
    """

    def declare(body: F) -> F:
        facts = {"grad": grad, "dtype": dtype, "kernel": kernel, "node": node, "samples": samples, "check": check}
        op = _op(body, True, **facts, wide=wide, inputs=inputs)
        entry = make_entry(op)
        _register(op, entry)
        written = make_inplace(op) if inplace else None
        entry.inplace = written  # type: ignore[attr-defined]  # a composite of the public name uses it
        if op.name.startswith("_"):
            _publish(op.name, entry, False, None)
        else:
            public = _with_out_of(op, entry) if out else entry
            _publish(op.name, public, False, written)
            if method:
                METHODS[op.name] = entry
        return entry  # type: ignore[return-value]  # same signature

    return declare


def primitive(
    *,
    grad: Mapping[Any, Callable[..., Any]] | None = None,
    kernel: str | None = None,
    node: str | Callable[[Node], str] | None = None,
    method: bool = False,
    inplace: bool = False,
    check: Callable[..., None] | None = None,
    samples: Callable[..., Any] | None = None,
    partial: bool = False,
    inputs: Inputs = "any",
) -> Callable[[F], F]:
    """Declares an op with a kernel over arguments that are already normalised; a body is its decomposition.

    ``partial``: of several outputs, those that no gradient reached have None in the derivative's ``g``, not zeros.
    ``check``, for tensors of one dtype, which is the result's too: raises torch's error, called with all arguments.
    It is asked once for a combination of dtypes, and whenever the kernel refuses.
    ``inputs``: whether what ``op_`` reads may share memory with what it writes.
    """

    def declare(body: F) -> F:
        facts = {"grad": grad, "kernel": kernel, "node": node, "samples": samples}
        op = _op(body, False, **facts, partial=partial, inputs=inputs)
        op.refuse = check
        entry = make_entry(op)
        _register(op, entry)
        written = make_inplace(op) if inplace else None
        if written is not None:
            entry.inplace = written  # type: ignore[attr-defined]  # a composite of the public name uses it
        _publish(op.name, entry, method, None if op.name.startswith("_") else written)
        return entry  # type: ignore[return-value]  # same signature

    return declare


def view(
    *,
    grad: Mapping[Any, Callable[..., Any]] | None = None,
    node: str | Callable[[Node], str] | None = None,
    native: Callable[..., Any] | None = None,
    recast: Callable[..., DType] | None = None,
    method: bool = False,
    samples: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:
    """Declares a view op: its body maps a `Lens` to one lens or several; values are never copied."""

    def declare(body: Callable[..., Any]) -> Callable[..., Tensor]:
        op = _op(body, False, grad=grad, node=node, samples=samples)
        entry = make_view(op, native, recast)
        _register(op, entry)
        _publish(op.name, entry, method, None)
        return entry

    return declare


def composite(
    *,
    method: bool = False,
    function: bool = True,
    inplace: bool | Callable[..., Any] = False,
    out: bool = False,
    names: tuple[str, ...] = (),
    samples: Callable[..., Any] | None = None,
) -> Callable[[F], F]:
    """Declares a function over ops; ``inplace=True`` derives ``op_`` by writing the result, a callable gives it."""

    def declare(body: F) -> F:
        public: Callable[..., Any] = with_out(body) if out else body
        written = _written(body) if inplace is True else inplace or None
        for name in (body.__name__, *names):
            if function:
                FUNCTIONS[name] = public
            if method:
                METHODS[name] = public
            if callable(written):
                METHODS[name + "_"] = written
        body.samples = samples  # type: ignore[attr-defined]  # read by the conformance kit
        COMPOSITES[body.__name__] = body
        return body

    return declare


def _written(body: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(body)
    def written(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = body(input, *args, **kwargs)
        require_shape(input, result._a.shape)
        require_castable(result._key.dtype, input._key.dtype)
        return METHODS["copy_"](input, result)  # type: ignore[no-any-return]  # an entry of the table

    written.__name__ = body.__name__ + "_"
    return written


def with_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with torch's ``out=``: the result is written into given tensors, resized if need be."""

    @functools.wraps(function)
    def public(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if not kwargs:
            if out is None:
                return function(*args)
        elif "axis" in kwargs or "keepdims" in kwargs:  # numpy's names, which torch takes too
            kwargs = {{"axis": "dim", "keepdims": "keepdim"}.get(k, k): v for k, v in kwargs.items()}
        if out is None:
            return function(*args, **kwargs)
        name = function.__name__.strip("_")
        given = arguments_for(name, out, args, kwargs)
        return fill(name, function(*args, **given), out, (*args, *kwargs.values()))

    return public


def _with_out_of(op: Op, entry: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `with_out(entry)` of a pointwise op; with one or two arguments nothing is packed on the way."""
    if op.params == ("input",):

        def public(input: Any, *, out: Any = None) -> Any:
            return entry(input) if out is None else fill(op.name, entry(input), out, (input,))

    elif op.params == ("input", "other"):

        def public(input: Any, other: Any, *, out: Any = None) -> Any:  # type: ignore[misc]  # the other shape
            return entry(input, other) if out is None else fill(op.name, entry(input, other), out, (input, other))

    else:
        return with_out(entry)
    return functools.wraps(entry)(public)


def install(cls: type[Tensor]) -> None:
    """Gives the Tensor class every method of the table; called once, when all families are declared."""
    for name, function in METHODS.items():
        setattr(cls, name, function)
