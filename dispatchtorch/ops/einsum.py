"""Sums of products over named subscripts, as a chain of batched matrix products; and tensordot, kron, cross, multi_dot.

Operands are brought to one order of subscripts, summed early where only one of them has a subscript, and multiplied two
at a time from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch._base.notices import warn_once
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.equation import expand_ellipses, from_sublists, output_of, parse
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.matrices import linalg
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes, wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["chain_matmul", "cross", "einsum", "kron", "linalg_cross", "linalg_multi_dot", "tensordot"]


# --- computing --------------------------------------------------------------------------------------------------------


def _diagonals(t: Tensor, labels: list[str], number: int) -> tuple[Tensor, list[str]]:
    """Returns the operand with each repeated subscript made one, its diagonal."""
    labels = list(labels)
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if t._a.shape[first] != t._a.shape[second]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {number} but the sizes don't match, "
                    f"{t._a.shape[second]} != {t._a.shape[first]}"
                )
            t = t.diagonal(0, first, second)
            labels = [x for i, x in enumerate(labels) if i not in (first, second)] + [label]
    return t, labels


def _check_sizes(parts: list[tuple[Tensor, list[str]]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for number, (t, labels) in enumerate(parts):
        for label, size in zip(labels, t._a.shape, strict=True):
            known = sizes.get(label, 1)
            if size != known and 1 not in (size, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {number} which does not broadcast with "
                    f"previously seen size {known}"
                )
            sizes[label] = known if size == 1 else size
    return sizes


def _sum_out(t: Tensor, labels: list[str], keep: set[str]) -> tuple[Tensor, list[str]]:
    gone = [i for i, label in enumerate(labels) if label not in keep]
    if gone:
        t = t.sum(gone)
    return t, [label for label in labels if label in keep]


def _product(
    a: tuple[Tensor, list[str]], b: tuple[Tensor, list[str]], keep: set[str], sizes: dict[str, int]
) -> tuple[Tensor, list[str]]:
    """Returns two operands multiplied and summed over what nobody else wants: one batched matrix product."""
    x, first = _squeezed(*_sum_out(*a, keep | set(b[1])))
    y, second = _squeezed(*_sum_out(*b, keep | set(a[1])))
    x, first = _sum_out(x, first, keep | set(second))
    y, second = _sum_out(y, second, keep | set(first))
    shared = [label for label in first if label in second]
    batch = [label for label in shared if label in keep]
    summed = [label for label in shared if label not in keep]
    left = [label for label in first if label not in second]
    right = [label for label in second if label not in first]
    if not summed and not (left and right and not batch):
        order = [*batch, *left, *right]
        return _laid(x, first, order) * _laid(y, second, order), order
    x = _ordered(x, first, [*batch, *left, *summed])
    y = _ordered(y, second, [*batch, *summed, *right])
    shape = (*(sizes[label] for label in batch), *(sizes[label] for label in (*left, *right)))
    n, m, k, p = (_count(sizes, some) for some in (batch, left, summed, right))
    if batch:
        wanted = [sizes[label] for label in batch]
        x, y = (t.expand(*wanted, *t._a.shape[len(batch) :]) for t in (x, y))
        out = FUNCTIONS["bmm"](x.reshape(n, m, k), y.reshape(n, k, p))
    else:
        out = matmul(x.reshape(m, k), y.reshape(k, p))
    return out.reshape(shape), [*batch, *left, *right]


def _squeezed(t: Tensor, labels: list[str]) -> tuple[Tensor, list[str]]:
    """Returns the operand without dimensions of size 1: they broadcast anyway."""
    ones = [i for i, n in enumerate(t._a.shape) if n == 1]
    for i in reversed(ones):
        t = t.squeeze(i)
    return t, [label for i, label in enumerate(labels) if i not in ones]


def _count(sizes: dict[str, int], labels: list[str]) -> int:
    count = 1
    for label in labels:
        count *= sizes[label]
    return count


def _ordered(t: Tensor, labels: list[str], order: list[str]) -> Tensor:
    return t if labels == order else t.permute([labels.index(label) for label in order])


def _laid(t: Tensor, labels: list[str], order: list[str]) -> Tensor:
    """Returns the operand with its dimensions in ``order``, size 1 for those it lacks."""
    t = _ordered(t, labels, [label for label in order if label in labels])
    for i, label in enumerate(order):
        if label not in labels:
            t = t.unsqueeze(i)
    return t


# --- two operands, in one op ------------------------------------------------------------------------------------------


def _pair_samples(make: Maker) -> Any:
    yield Sample((make(2, 3, 4), make(2, 4, 5), "bij", "bjk", "bik"))
    yield Sample((make(2, 3, 4), make(2, 5, 3), "bij", "bki", "kbj"))
    yield Sample((make(3, 4), make(4), "ij", "j", "i"))


@primitive(
    grad={
        "input": lambda g, other, first, second, output: _einsum_pair(g, conj(other), output, second, first),
        "other": lambda g, input, first, second, output: _einsum_pair(g, conj(input), output, first, second),
    },
    node="ViewBackward0",
    samples=_pair_samples,
)
def _einsum_pair(input: Tensor, other: Tensor, first: str, second: str, output: str) -> Tensor:
    """Returns the sum of products of two operands, of one dtype, whose subscripts are each in two of the three."""
    return _computed([(input, list(first)), (other, list(second))], list(output))


_pairs: Final[dict[Any, tuple[str, str, str]]] = {}  # (equation, shapes) -> subscripts of calls that are one such op
_MOST: Final = 1024


def _note_pair(equation: str, tensors: Sequence[Tensor], inputs: list[list[str]], output: list[str]) -> None:
    """Remembers a call of two operands that is one product of matrices."""
    first, second = inputs
    parts = (*inputs, output)
    if any(len(set(labels)) != len(labels) or any(len(label) > 1 for label in labels) for labels in parts):
        return
    if any(sum(label in labels for labels in parts) < 2 for label in {*first, *second}):
        return
    sizes: dict[str, set[int]] = {}
    for labels, t in zip(inputs, tensors, strict=True):
        for label, size in zip(labels, t._a.shape, strict=True):
            sizes.setdefault(label, set()).add(size)
    left, right = (any(label not in other for label in mine) for mine, other in ((first, second), (second, first)))
    summed = any(label not in output for label in first)
    if any(len(found) > 1 for found in sizes.values()) or not (summed or (left and right)):
        return
    if len(_pairs) >= _MOST:
        _pairs.clear()
    joined = ("".join(first), "".join(second), "".join(output))
    _pairs[(equation, *(tuple(t._a.shape) for t in tensors))] = joined


@composite()
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Returns sums of products of ``operands`` over the subscripts that the equation does not keep.

    >>> torch.einsum("ij,j->i", torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    if len(operands) == 2 and type(equation) is str:
        x, y = operands
        if isinstance(x, Tensor) and isinstance(y, Tensor) and (key := x._key).native:
            pair = _pairs.get((equation, x._a.shape, y._a.shape))
            other = y._key
            if (
                pair is not None
                and key.dtype is other.dtype
                and key.dtype.category >= FLOATING
                and key.backend is other.backend
            ):
                return _einsum_pair(x, y, *pair)
    if len(operands) < 1:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if isinstance(equation, Tensor):
        equation, tensors = from_sublists((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        tensors = list(operands[0])
    else:
        tensors = list(operands)
    named, wanted = parse(equation, tensors)
    inputs, hidden = expand_ellipses(named, tensors)
    output = output_of(inputs, wanted, hidden)
    parts = [_diagonals(t, labels, i) for i, (t, labels) in enumerate(zip(tensors, inputs, strict=True))]
    value = _computed(parts, output)
    if len(tensors) == 2 and value._key.native and value._key.dtype.category >= FLOATING:
        _note_pair(equation, tensors, inputs, output)
    return value


def _computed(parts: list[tuple[Tensor, list[str]]], output: list[str]) -> Tensor:
    """Returns the product of operands with their subscripts, multiplied two at a time from left to right."""
    sizes = _check_sizes(parts)
    current = parts[0]
    for i, other in enumerate(parts[1:], 1):
        later = {label for _, labels in parts[i + 1 :] for label in labels}
        current = _product(current, other, set(output) | later, sizes)
    value, labels = _sum_out(*current, set(output))
    value = _laid(value, labels, output)
    if len(parts) > 1 and _lacks(value, output, sizes):
        value = value.expand([sizes[label] for label in output])
    return value


def _lacks(value: Tensor, output: list[str], sizes: dict[str, int]) -> bool:
    return any(n != sizes[label] for n, label in zip(value._a.shape, output, strict=True))


# --- other products ---------------------------------------------------------------------------------------------------


@composite(out=True)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Returns products summed over the last ``dims`` of ``a`` and the first of ``b``, or over pairs of dims."""
    m, n = len(a._a.shape), len(b._a.shape)
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(m, n):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = (list(range(-dims, 0)), list(range(dims)))
    first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    for d, e in zip(first, second, strict=True):
        one, two = a._a.shape[wrap_dim(d, m)], b._a.shape[wrap_dim(e, n)]
        if one == 1:
            b = b.sum(e, keepdim=True)
        elif two == 1:
            a = a.sum(d, keepdim=True)
        elif one != two:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {one} in dim {d} and second has size "
                f"{two} in dim {e}"
            )
    over, under = [wrap_dim(d, m) for d in first], [wrap_dim(d, n) for d in second]
    left, right = [d for d in range(m) if d not in over], [d for d in range(n) if d not in under]
    shape = [a._a.shape[d] for d in left] + [b._a.shape[d] for d in right]
    k = 1
    for d in over:
        k *= a._a.shape[d]
    x, y = a.permute([*left, *over]), b.permute([*under, *right])
    rows, columns = _rows(a, left), _rows(b, right)
    return matmul(x.reshape(rows, k), y.reshape(k, columns)).reshape(shape)


def _rows(t: Tensor, dims: list[int]) -> int:
    count = 1
    for d in dims:
        count *= t._a.shape[d]
    return count


@composite(method=True, out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Returns Kronecker's product: every element of ``input`` times all of ``other``, laid out in blocks."""
    m, n = len(input._a.shape), len(other._a.shape)
    ndim = max(m, n)
    first = (1,) * (ndim - m) + tuple(input._a.shape)
    second = (1,) * (ndim - n) + tuple(other._a.shape)
    x = input.reshape([s for size in first for s in (size, 1)])
    y = other.reshape([s for size in second for s in (1, size)])
    return (x * y).reshape([p * q for p, q in zip(first, second, strict=True)])


@primitive(
    grad={
        "input": lambda g, other, dim: _cross(conj(other), g, dim),
        "other": lambda g, input, dim: _cross(g, conj(input), dim),
    },
    node="LinalgCrossBackward0",
)
def _cross(input: Tensor, other: Tensor, dim: int) -> Tensor:
    """Returns cross products along ``dim``."""
    a = [input.narrow(dim, i, 1) for i in range(3)]
    b = [other.narrow(dim, i, 1) for i in range(3)]
    turns = [a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3] for i in range(3)]
    return FUNCTIONS["cat"](turns, dim)  # type: ignore[no-any-return]  # an entry of the table


def _crosses(make: Maker) -> Any:
    yield Sample((make(2, 3), make(2, 3)))
    yield Sample((make(3, 2), make(3, 1)), {"dim": 0})


@linalg(samples=_crosses)
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Returns cross products of vectors of three elements along ``dim``."""
    m, n = len(input._a.shape), len(other._a.shape)
    if m != n:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    front = wrap_dim(dim, m)
    one, two = input._a.shape[front], other._a.shape[front]
    if one != 3 or two != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {one} and {two}")
    shape = broadcast_shapes(tuple(input._a.shape), tuple(other._a.shape))
    return _cross(input.expand(shape), other.expand(shape), front)


@composite(method=True, out=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Returns cross products of vectors of three elements along ``dim``, by default the first dimension of size 3."""
    if dim is None:
        warn_once(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass the dim explicitly or "
            "simply use torch.linalg.cross.\nThe default value of dim will change to agree with that of "
            "linalg.cross in a future release."
        )
        shape = broadcast_shapes(tuple(input._a.shape), tuple(other._a.shape))
        if 3 not in shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = shape.index(3)
    return linalg_cross(input, other, dim=dim)


def _chains(make: Maker) -> Any:
    yield Sample(([make(2, 3), make(3, 4), make(4, 2)],))
    yield Sample(([make(3), make(3, 4), make(4)],))


@linalg(samples=_chains)
def linalg_multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Returns the product of matrices, in the order that takes the fewest multiplications; the ends may be vectors."""
    count = len(tensors)
    if count < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {count}")
    chain = list(tensors)
    for i, t in enumerate(chain):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
    first, last = len(chain[0]._a.shape) == 1, len(chain[-1]._a.shape) == 1
    for which, t in (("first", chain[0]), ("last", chain[-1])):
        if len(t._a.shape) not in (1, 2):
            raise RuntimeError(f"multi_dot(): the {which} tensor must be 1D or 2D but got {len(t._a.shape)}D")
    for i, t in enumerate(chain):
        if 0 < i < count - 1 and len(t._a.shape) != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {len(t._a.shape)}D")
        if t._key.dtype is not chain[0]._key.dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{_C_NAMES.get(chain[0]._key.dtype.name, chain[0]._key.dtype.name)} and tensor {i} "
                f"{_C_NAMES.get(t._key.dtype.name, t._key.dtype.name)}"
            )
    if first:
        chain[0] = chain[0].unsqueeze(0)
    if last:
        chain[-1] = chain[-1].unsqueeze(-1)
    for i in range(count - 1):
        if chain[i]._a.shape[1] != chain[i + 1]._a.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(chain[i]._a.shape)} and "
                f"{list(chain[i + 1]._a.shape)} cannot be multiplied"
            )
    sides = [t._a.shape[0] for t in chain] + [chain[-1]._a.shape[1]]
    out = _multiply(chain, _best_order(sides), 0, count - 1)
    if first:
        out = out.squeeze(0)
    return out.squeeze(-1) if last else out


_C_NAMES: Final = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
    "int32": "int", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def _best_order(sides: list[int]) -> dict[tuple[int, int], int]:
    """Returns for each stretch of the chain where to cut it, by the usual table over ever longer stretches."""
    n = len(sides) - 1
    cost = {(i, i): 0 for i in range(n)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [(cost[i, k] + cost[k + 1, j] + sides[i] * sides[k + 1] * sides[j + 1], k) for k in range(i, j)]
            cost[i, j], cut[i, j] = min(costs)
    return cut


def _multiply(chain: list[Tensor], cut: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return chain[i]
    k = cut[i, j]
    return matmul(_multiply(chain, cut, i, k), _multiply(chain, cut, k + 1, j))


@composite(out=True)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Returns the product of matrices, in the order that takes the fewest multiplications; deprecated."""
    warn_once(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot "
        "instead, which accepts a list of two or more tensors rather than multiple parameters."
    )
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    for t in matrices:
        if len(t._a.shape) != 2:
            raise RuntimeError(f"Tensor dimension is {len(t._a.shape)}, expected 2 instead.")
    return matrices[0] if len(matrices) == 1 else linalg_multi_dot(matrices)
