"""The product of vectors and matrices. Each gradient of a product is a product again: four primitives close the family.

``matmul`` takes any ranks; ``_matmul_nt``, ``_matmul_tn`` and ``_fold_tn`` are its transposed forms, so that backward
makes no views. What torch calls mm, dot or addmm is made of these in `linalg` and `addmm`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.plans import make_product_operator
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, primitive, with_out
from dispatchtorch.ops.reduce import sum_leading
from dispatchtorch.ops.samples import Maker, Sample, Sampler
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["check_bmm", "check_dot", "check_mm", "conj", "matmul", "pairs", "sizes_text"]


def conj(x: Tensor) -> Tensor:
    """Returns the conjugate; a real tensor is its own."""
    return x if x._key.dtype.category < 3 else x.conj()


def pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Sampler:
    """Returns a sampler of two arguments of given shapes."""

    def sampler(make: Maker) -> Any:
        for first, second in shapes:
            yield Sample((make(*first), make(*second)))

    return sampler


# --- what can be wrong ------------------------------------------------------------------------------------------------


def sizes_text(shape: tuple[int, ...]) -> str:
    """Returns a shape as messages show it: "2x3"."""
    return "x".join(map(str, shape))


def check_mm(a: Tensor, b: Tensor, first: tuple[int, ...], second: tuple[int, ...]) -> None:
    """Raises torch's error for a pair that has these shapes as matrices and cannot be multiplied."""
    if first[1] != second[0]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({sizes_text(first)} and {sizes_text(second)})")
    one, two = a._key.dtype, b._key.dtype
    if one is not two:
        names = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16"}
        names |= {"int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char"}
        names |= {"uint8": "unsigned char", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>"}
        raise RuntimeError(
            "expected m1 and m2 to have the same dtype, but got: "
            f"{names.get(one.name, one.name)} != {names.get(two.name, two.name)}"
        )
    if one.category == 0:
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")


def _check_mv(a: Tensor, b: Tensor, first: tuple[int, ...], second: tuple[int, ...]) -> None:
    if first[1] != second[0]:
        raise RuntimeError(f"size mismatch, got input ({first[0]}), mat ({sizes_text(first)}), vec ({second[0]})")
    one, two = a._key.dtype, b._key.dtype
    if one is not two:
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {two.legacy}, {one.legacy}, and {two.legacy}"
        )
    if one.category == 0:
        raise NotImplementedError("\"addmv_impl_cpu\" not implemented for 'Bool'")


def check_dot(a: Tensor, b: Tensor) -> None:
    """Raises torch's error for a pair that `dot` refuses."""
    first, second = tuple(a._a.shape), tuple(b._a.shape)
    if len(first) != 1 or len(second) != 1:
        raise RuntimeError(f"1D tensors expected, but got {len(first)}D and {len(second)}D tensors")
    one, two = a._key.dtype, b._key.dtype
    if one is not two:
        raise RuntimeError(f"dot : expected both vectors to have same dtype, but found {one.legacy} and {two.legacy}")
    if first != second:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{first[0]}] and src [{second[0]}] to have the same number of "
            f"elements, but got {first[0]} and {second[0]} elements respectively"
        )
    if one.category == 0:
        raise NotImplementedError("\"dot\" not implemented for 'Bool'")


def _check_batches(a: Tensor, b: Tensor, first: tuple[int, ...], second: tuple[int, ...]) -> None:
    batch = _count(first[:-2])
    if first[-1] != second[-2]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {first[-1]}] but got: "
            f"[{batch}, {second[-2]}]."
        )
    one, two = a._key.dtype, b._key.dtype
    if one is not two:
        raise RuntimeError(f"expected scalar type {one.legacy} but found {two.legacy}")
    if one.category == 0:
        raise NotImplementedError("\"bmm\" not implemented for 'Bool'")


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def check_matmul(a: Tensor, b: Tensor) -> None:
    """Raises torch's error for a pair that `matmul` refuses."""
    first, second = tuple(a._a.shape), tuple(b._a.shape)
    m, n = len(first), len(second)
    if not m or not n:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D")
    if m == 1 and n == 1:
        check_dot(a, b)
    elif n == 1:
        _check_mv(a, b, (_count(first[:-1]), first[-1]), second)
    elif n == 2:
        check_mm(a, b, (_count(first[:-1]), first[-1]), second)
    elif m == 1:
        flat = (_count(second[:-2]) * second[-1], second[-2])
        _check_mv(b, a, flat, first)
    elif m == 2 and n >= 3:
        turned = (_count(second[:-2]) * second[-1], second[-2])
        check_mm(a, b, turned, (first[1], first[0]))
    else:
        batch = broadcast_shapes(first[:-2], second[:-2])
        _check_batches(a, b, (*batch, *first[-2:]), (*batch, *second[-2:]))


# --- the closed set ---------------------------------------------------------------------------------------------------


def _matmul_first(g: Tensor, other: Tensor) -> Tensor:
    """Returns the gradient of the first factor; where it was a vector, the engine drops the added dimension."""
    n, given = len(other._a.shape), len(g._a.shape)
    other = conj(other)
    if n == 1:
        return g * other if given == 0 else g.unsqueeze(-1) * other
    if n == 2 or given >= n:
        return _matmul_nt(g, other) if given > 1 else matmul(other, g)
    return _matmul_nt(g.unsqueeze(-2), other)


def _matmul_second(g: Tensor, input: Tensor, other_shape: tuple[int, ...]) -> Tensor:
    m, n = len(input._a.shape), len(other_shape)
    input = conj(input)
    if n == 1:
        if m == 1:
            return g * input
        return matmul(g, input) if m == 2 else _fold_tn(input, g.unsqueeze(-1)).squeeze(-1)
    if m == 1:
        return input.unsqueeze(-1) * g.unsqueeze(-2)  # type: ignore[no-any-return]  # methods arrive from the table
    return _fold_tn(input, g) if n == 2 else _matmul_tn(input, g)


def _ndim_of(edge: Any) -> int:
    """Returns the number of dimensions of what an edge leads to, a leaf or a node's output."""
    if isinstance(edge, Tensor):
        return len(edge._a.shape)
    return len(edge[0].shape[edge[1]] if isinstance(edge, tuple) else edge.shape)


def _matmul_node(node: Node) -> str:
    given = len(node.shape)
    first, second = node.edges
    if len(node.saved) > 2:
        n = len(node.saved[2])
    elif second is not None:  # what was saved has been freed
        n = _ndim_of(second)
    else:
        n = given + 2 - _ndim_of(first)  # holds wherever the name depends on it: no batch
    if n == 1:
        return ("DotBackward0", "MvBackward0")[given] if given < 2 else "UnsafeViewBackward0"
    if n == 2:
        return ("SqueezeBackward4", "SqueezeBackward4", "MmBackward0")[given] if given < 3 else "UnsafeViewBackward0"
    return "UnsafeViewBackward0"


@primitive(
    grad={"input": _matmul_first, "other": _matmul_second},
    node=_matmul_node,
    method=True,
    check=check_matmul,
    samples=pairs(
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
    ),
)  # fmt: skip
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Returns the product: of vectors a number, of matrices a matrix, of more dimensions matrix by matrix.

    >>> torch.matmul(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 4.0]))
    tensor([11.])
    """
    ...


@primitive(
    grad={
        "input": lambda g, other: matmul(g, conj(other)),
        "other": lambda g, input, other_shape: (
            _fold_tn(g, conj(input)) if len(other_shape) == 2 else _matmul_tn(g, conj(input))
        ),
    },
    node="MmBackward0",
    samples=pairs(((2, 3), (4, 3)), ((5, 2, 3), (4, 3)), ((5, 2, 3), (5, 4, 3))),
)
def _matmul_nt(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input @ other.mT``."""
    ...


@primitive(
    grad={
        "input": lambda g, other: _matmul_nt(conj(other), g),
        "other": lambda g, input: matmul(conj(input), g),
    },
    node="MmBackward0",
    samples=pairs(((3, 2), (3, 4)), ((5, 3, 2), (5, 3, 4)), ((3, 2), (5, 3, 4))),
)
def _matmul_tn(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input.mT @ other``."""
    ...


@primitive(
    grad={
        "input": lambda g, other: _matmul_nt(conj(other), g),
        "other": lambda g, input: matmul(conj(input), g),
    },
    node="MmBackward0",
    samples=pairs(((3, 2), (3, 4)), ((5, 3, 2), (5, 3, 4))),
)
def _fold_tn(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input.T @ other`` with all dimensions but the last made one: a weight's gradient."""
    ...


def check_bmm(a: Tensor, b: Tensor) -> None:
    """Raises torch's error for a pair that `bmm` refuses."""
    first, second = tuple(a._a.shape), tuple(b._a.shape)
    if len(first) != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if len(second) != 3:
        raise RuntimeError("batch2 must be a 3D tensor")
    if (first[0], first[2]) != second[:2]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{first[0]}, {first[2]}] but got: "
            f"[{second[0]}, {second[1]}]."
        )
    _check_batches(a, b, first, second)


@primitive(
    grad={
        "input": lambda g, other: _matmul_nt(g, conj(other)),
        "other": lambda g, input: _matmul_tn(conj(input), g),
    },
    node="BmmBackward0",
    check=check_bmm,
    samples=pairs(((5, 2, 3), (5, 3, 4))),
)
def _bmm(input: Tensor, other: Tensor) -> Tensor:
    """Returns the products of matching matrices of two batches."""
    ...


# --- linear layers ----------------------------------------------------------------------------------------------------


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    shape, sizes = tuple(input._a.shape), tuple(weight._a.shape)
    if not shape:
        raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are 0D and {len(sizes)}D")
    if len(sizes) == 1:
        check_matmul(input, weight)
        return
    turned = (sizes[1], sizes[0])
    rows = _count(shape[:-1])
    if bias is not None and input._key.dtype is not weight._key.dtype:
        names = (input._key.dtype.legacy, weight._key.dtype.legacy)
        raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {names[0]} and {names[1]}")
    if bias is not None and input._key.dtype is weight._key.dtype is not bias._key.dtype:
        names = (bias._key.dtype.legacy, weight._key.dtype.legacy)
        raise RuntimeError(f"self and mat2 must have the same dtype, but got {names[0]} and {names[1]}")
    check_mm(input, weight, (rows, shape[-1]), turned)
    if bias is not None:
        have = tuple(bias._a.shape)
        if len(have) > 2 or (have and have[-1] not in (1, sizes[0])):
            raise RuntimeError(
                f"The expanded size of the tensor ({sizes[0]}) must match the existing size ({have[-1]}) at "
                f"non-singleton dimension 1.  Target sizes: {[rows, sizes[0]]}.  Tensor sizes: {list(have)}"
            )


def _linear_input(g: Tensor, weight: Tensor) -> Tensor:
    weight = conj(weight)
    return matmul(g, weight) if len(weight._a.shape) == 2 else g.unsqueeze(-1) * weight


def _linear_weight(g: Tensor, input: Tensor, weight_shape: tuple[int, ...]) -> Tensor:
    input = conj(input)
    if len(weight_shape) == 1:
        g = g.unsqueeze(-1)
    if len(input._a.shape) == 1:
        g, input = g.unsqueeze(0), input.unsqueeze(0)
    return _fold_tn(g, input)


@primitive(
    grad={"input": lambda g, input_shape: g.expand(input_shape)},
    node="SumBackward1",
    samples=lambda make: iter([Sample((make(2, 3),)), Sample((make(4, 2, 3),))]),
)
def _sum_rows(input: Tensor) -> Tensor:
    """Returns the sum over all dimensions but the last: the gradient of a bias."""
    return sum_leading(input, 1)


def _linear_bias(g: Tensor, bias_shape: tuple[int, ...]) -> Tensor:
    return _sum_rows(g) if len(bias_shape) == 1 < len(g._a.shape) else sum_leading(g, len(bias_shape))


def _linear_node(node: Node) -> str:
    ndim = len(node.shape)
    if len(node.saved) > 3:
        weight_ndim, biased = len(node.saved[3]), node.saved[4] is not None
    else:  # freed: a bias without a gradient can no longer be told from none
        weight, bias = node.edges[1:]
        weight_ndim, biased = 2 if weight is None else _ndim_of(weight), bias is not None
    if weight_ndim == 1:
        if biased:
            return "AddBackward0"
        return ("DotBackward0", "MvBackward0")[ndim] if ndim < 2 else "UnsafeViewBackward0"
    if biased:
        return "AddmmBackward0" if ndim == 2 else "ViewBackward0"
    return {1: "SqueezeBackward4", 2: "MmBackward0"}.get(ndim, "UnsafeViewBackward0")


def _linear_samples(make: Maker) -> Any:
    for shape in ((2, 3), (3,), (4, 2, 3)):
        yield Sample((make(*shape), make(5, 3), make(5)))
        yield Sample((make(*shape), make(5, 3), None))


@primitive(
    grad={
        "input": _linear_input,
        "weight": _linear_weight,
        "bias": _linear_bias,
    },
    node=_linear_node,
    check=_check_linear,
    samples=_linear_samples,
)
def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns ``input @ weight.T + bias``: what a linear layer computes, as one kernel."""
    ...


def _with_out(entry: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Returns the product as a function that takes ``out=`` too, as short as without."""
    find = entry.op.plans.get  # type: ignore[attr-defined]  # an entry is a function that knows its op
    written = with_out(entry)

    @functools.wraps(entry)
    def public(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        if out is not None:
            return written(input, other, out=out)  # type: ignore[no-any-return]  # what was given
        try:
            plan = find((input._key, other._key))
        except AttributeError:
            plan = None
        return entry(input, other) if plan is None else plan(input, other)

    return public


def _turned(operator: Callable[..., Any]) -> Callable[..., Any]:
    """Returns ``other @ self``."""

    def turned(self: Tensor, other: Any) -> Any:
        return operator(other, self) if isinstance(other, Tensor) else NotImplemented

    turned.__name__ = turned.__qualname__ = "__rmatmul__"
    return turned


FUNCTIONS["matmul"] = _with_out(matmul)
METHODS["__matmul__"] = make_product_operator(matmul)
METHODS["__rmatmul__"] = _turned(METHODS["__matmul__"])
