"""Derivatives of functions of tensors, called directly: Jacobians, Hessians and products with vectors.

The older of torch's two doors to these (the other is ``torch.func``): inputs are a tensor or a tuple of them, and so
are outputs. ``strict`` turns every zero that stands for "does not depend" into an error; ``create_graph`` keeps the
history of results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch.autograd.tape import basis_of, fresh, pull, push, recording, without_history, zeros_like
from dispatchtorch.batching.mapping import vmap
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

OUTPUTS: Final = "outputs of the user-provided function"
Tensors = tuple[Tensor, ...]

_NOT_RECORDED: Final = (
    "Output {} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode."
)
_NO_GRADIENT: Final = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for "
    "example)."
)
_INDEPENDENT: Final = (
    "The output of the user-provided function is independent of input {}. This is not allowed in strict mode."
)
_ROW_INDEPENDENT: Final = (
    "Output {} of the user-provided function is independent of input {}. This is not allowed in strict mode."
)
_JACOBIAN: Final = (
    "The jacobian of the user-provided function is independent of input {}. This is not allowed in strict mode"
)
_HESSIAN: Final = (
    "The hessian of the user-provided function is independent of input {}. This is not allowed in strict mode"
)
_LATER: Final = " when create_graph=True."


def _as_tuple(given: Any, what: str, name: str) -> tuple[bool, Tensors]:
    """Returns whether a tuple was given, and a tuple; TypeError for anything but tensors."""
    several = isinstance(given, tuple)
    members = given if several else (given,)
    for i, t in enumerate(members):
        if not isinstance(t, Tensor):
            which = f"value at index {i}" if several else f"given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {which} has type "
                f"{type(t)}."
            )
    return several, members


def _prepared(inputs: Any, name: str, create_graph: bool) -> tuple[bool, Tensors]:
    several, given = _as_tuple(inputs, "inputs", name)
    return several, tuple([fresh(t, create_graph) for t in given])


def _require(tensors: Sequence[Tensor | None], message: str, strict: bool) -> None:
    if strict:
        for i, t in enumerate(tensors):
            if t is None or not t._key.requires:
                raise RuntimeError(message.format(i))


def _filled(
    grads: Sequence[Tensor | None], like: Sequence[Tensor], strict: bool, create_graph: bool, missing: str, later: str
) -> Tensors:
    """Returns gradients with zeros where there are none, which is an error if ``strict``."""
    found = []
    for i, (g, t) in enumerate(zip(grads, like, strict=True)):
        if strict and g is None:
            raise RuntimeError(missing.format(i))
        if strict and create_graph and g is not None and not g._key.requires:
            raise RuntimeError(later.format(i) + _LATER)
        found.append(zeros_like(t) if g is None else g)
    return tuple(found)


def _finished(tensors: Tensors, several: bool, create_graph: bool) -> Any:
    kept = tensors if create_graph else tuple([without_history(t) for t in tensors])
    return kept if several else kept[0]


def _vector(v: Any, like: Tensors, several: bool, name: str) -> Tensors:
    """Returns the vector of a product; RuntimeError where it has other sizes."""
    _, given = _as_tuple(v, "v", name)
    if len(given) != len(like):
        if several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (t, other) in enumerate(zip(given, like, strict=True)):
        if tuple(t._a.shape) != tuple(other._a.shape):
            prefix = f"Entry {i} in v" if several else "v"
            raise RuntimeError(f"{prefix} has invalid size: should be {other.shape} but got {t.shape}.")
    return given


def _given_or_one(v: Any, like: Tensors, several: bool, name: str, of: str) -> Tensors:
    if v is not None:
        return _vector(v, like, several, name)
    if len(like) != 1 or like[0].numel() != 1:
        raise RuntimeError(f"The vector v can only be None if {of} a single Tensor with a single element.")
    return (zeros_like(like[0]) + 1,)


_SINGLE_OUT: Final = "the user-provided function returns"
_SINGLE_IN: Final = "the input to the user-provided function is"


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Returns ``func(*inputs)`` and the product of ``v`` with the Jacobian; RuntimeError for a ``v`` of other sizes.

    >>> torch.autograd.functional.vjp(lambda x: x * x, torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with recording():
        several, xs = _prepared(inputs, "vjp", create_graph)
        many, outs = _as_tuple(func(*xs), OUTPUTS, "vjp")
        _require(outs, _NOT_RECORDED, strict)
        vs = _given_or_one(v, outs, many, "vjp", _SINGLE_OUT)
        got = pull(outs, xs, vs, keep=create_graph)
        grads = _filled(got, xs, strict, create_graph, _INDEPENDENT, _JACOBIAN)
    return _finished(outs, many, create_graph), _finished(grads, several, create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Returns ``func(*inputs)`` and the product of the Jacobian with ``v``; RuntimeError for a ``v`` of other sizes.

    >>> torch.autograd.functional.jvp(lambda x: x * x, torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with recording():
        several, xs = _prepared(inputs, "jvp", create_graph)
        vs = _given_or_one(v, xs, several, "jvp", _SINGLE_IN)
        many, outs = _as_tuple(func(*xs), OUTPUTS, "jvp")
        _require(outs, _NOT_RECORDED, strict)
        moving = push(outs, xs)
        _filled(moving.gradients, xs, strict, False, _INDEPENDENT, _JACOBIAN)
        got = moving(vs, keep=create_graph)
        if strict and create_graph:
            got = [t if t is not None and _leads(t, xs) else _bare(t) for t in got]
        grads = _filled(got, outs, False, create_graph, _INDEPENDENT, _JACOBIAN)
        if strict and create_graph:
            for i, g in enumerate(grads):
                if not g._key.requires:
                    raise RuntimeError(_JACOBIAN.format(i) + _LATER)
    return _finished(outs, many, create_graph), _finished(grads, many, create_graph)


def _leads(t: Tensor, xs: Tensors) -> bool:
    return t._key.requires and any(g is not None for g in pull([t], xs, [zeros_like(t)], keep=False))


def _bare(t: Tensor | None) -> Tensor | None:
    return None if t is None else t.detach()


def _single(outs: Tensors, many: bool, name: str) -> None:
    if many:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")


def _gradient(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, name: str
) -> tuple[bool, Tensors, Tensors, Tensors, Tensors]:
    """Returns whether there are several inputs, the inputs, ``v``, the output and its recorded gradient."""
    several, xs = _prepared(inputs, name, create_graph)
    vs = _given_or_one(v, xs, several, name, _SINGLE_IN)
    many, outs = _as_tuple(func(*xs), OUTPUTS, name)
    _single(outs, many, name)
    _require(outs, _NOT_RECORDED, strict)
    got = pull(outs, xs, [zeros_like(outs[0]) + 1], keep=True)
    jac = _filled(got, xs, strict, False, _INDEPENDENT, _JACOBIAN)
    _require(jac, _NO_GRADIENT, strict)
    return several, xs, vs, outs, jac


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Returns the number ``func(*inputs)`` and the product of ``v`` with the Hessian.

    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with recording():
        several, xs, vs, outs, jac = _gradient(func, inputs, v, create_graph, strict, "vhp")
        got = pull(jac, xs, vs, keep=create_graph)
        grads = _filled(got, xs, strict, create_graph, _JACOBIAN + ".", _HESSIAN)
    return _finished(outs, False, create_graph), _finished(grads, several, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Returns the number ``func(*inputs)`` and the product of the Hessian with ``v``.

    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with recording():
        several, xs, vs, outs, jac = _gradient(func, inputs, v, create_graph, strict, "hvp")
        got = push(jac, xs)(vs, keep=create_graph)
        grads = _filled(got, xs, strict, create_graph, _JACOBIAN + ".", _HESSIAN)
    return _finished(outs, False, create_graph), _finished(grads, several, create_graph)


# --- whole matrices ---------------------------------------------------------------------------------------------------


def _checked_strategy(strategy: str, vectorize: bool, hint: str) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(f'Expected strategy to be either "forward-mode" or "reverse-mode".{hint}')
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
            "`vectorize=True`."
        )


_HINT: Final = (
    ' Hint: If your function has more outputs than inputs, "forward-mode" tends to be more performant. Otherwise, '
    'prefer to use "reverse-mode".'
)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Returns the Jacobian: a tensor of the output's sizes, then the input's; tuples of them where there are several.

    ``vectorize`` computes all rows (or, "forward-mode", columns) at once. TypeError for what are no tensors.

    >>> torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _checked_strategy(strategy, True, _HINT)
    forward = strategy == "forward-mode"
    if forward and create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if forward and strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    _checked_strategy(strategy, vectorize, _HINT)
    if strict and vectorize:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
            "Please either set `strict=False` or `vectorize=False`."
        )
    with recording():
        several, xs = _prepared(inputs, "jacobian", create_graph)
        many, outs = _as_tuple(func(*xs), OUTPUTS, "jacobian")
        _require(outs, _NOT_RECORDED, strict)
        if strict:
            for i, out in enumerate(outs):
                for j, g in enumerate(pull([out], xs, [zeros_like(out)], keep=create_graph)):
                    if g is None:
                        raise RuntimeError(_ROW_INDEPENDENT.format(i, j))
                    if create_graph and not g._key.requires:
                        raise RuntimeError(_JACOBIAN.format(j) + _LATER)
        blocks = _columns(outs, xs) if forward else _rows(outs, xs, create_graph, vectorize)
        kept = tuple([_finished(row, True, create_graph) for row in blocks])
    if many:
        return kept if several else tuple([row[0] for row in kept])
    return kept[0] if several else kept[0][0]


def _rows(outs: Tensors, xs: Tensors, keep: bool, vectorize: bool) -> list[Tensors]:
    """Returns for each output its Jacobian by each input, from gradients."""

    def row(*cotangents: Tensor) -> Tensors:
        got = pull(outs, xs, cotangents, keep=keep)
        return tuple([zeros_like(x) if g is None else g for g, x in zip(got, xs, strict=True)])

    rows = _over_basis(row, outs, xs, vectorize)
    start, blocks = 0, []
    for out in outs:
        n = out.numel()
        blocks.append(
            tuple([r.narrow(0, start, n).reshape((*out._a.shape, *x._a.shape)) for r, x in zip(rows, xs, strict=True)])
        )
        start += n
    return blocks


def _columns(outs: Tensors, xs: Tensors) -> list[Tensors]:
    """Returns for each output its Jacobian by each input, from tangents."""
    moving = push(outs, xs)

    def column(*tangents: Tensor) -> Tensors:
        got = moving(tangents, keep=False)
        return tuple([zeros_like(out) if t is None else t for t, out in zip(got, outs, strict=True)])

    columns = _over_basis(column, xs, outs, True)
    blocks = []
    for out, part in zip(outs, columns, strict=True):
        start, row = 0, []
        for x in xs:
            n = x.numel()
            row.append(part.narrow(0, start, n).movedim(0, -1).reshape((*out._a.shape, *x._a.shape)))
            start += n
        blocks.append(tuple(row))
    return blocks


def _over_basis(step: Callable[..., Tensors], over: Tensors, results: Tensors, vectorize: bool) -> Tensors:
    count = sum([t.numel() for t in over])
    if not count:
        return tuple([t.detach().new_zeros((0, *t._a.shape)) for t in results])
    basis = basis_of(over)
    if vectorize:
        return vmap(step, randomness="same")(*basis)  # type: ignore[no-any-return]  # a tuple, as step's
    found = [step(*[part[i] for part in basis]) for i in range(count)]
    return tuple([parts[0].unsqueeze(0) if count == 1 else _stacked(parts) for parts in zip(*found, strict=True)])


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    from_table: Tensor = FUNCTIONS["stack"](list(parts))
    return from_table


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Returns the second derivatives of a function that gives a number: a tuple of tuples for several inputs.

    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    several, given = _as_tuple(inputs, "inputs", "hessian")
    _checked_strategy(outer_jacobian_strategy, True, "")

    def single(*xs: Tensor) -> Tensor:
        many, outs = _as_tuple(func(*xs), OUTPUTS, "hessian")
        _single(outs, many, "hessian")
        _require(outs, _NOT_RECORDED, strict)
        return outs[0].squeeze()

    def gradient(*xs: Tensor) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            xs = tuple([fresh(x) for x in xs])
        jac = jacobian(single, xs, create_graph=True)
        _require(jac, _NO_GRADIENT, strict)
        return jac

    found = jacobian(
        gradient,
        given,
        create_graph=create_graph,
        strict=strict,
        vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )
    return found if several else found[0][0]
