"""Integrals and derivatives of sampled functions: trapezoid, cumulative_trapezoid, gradient; and vander's powers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import BOOL, FLOATING, int64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["cumulative_trapezoid", "gradient", "trapezoid", "vander"]


def _part(t: Any, dim: int, start: int, length: int) -> Any:
    return t.narrow(dim, start, length)


# --- integrals --------------------------------------------------------------------------------------------------------


def _trapezoid_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), make(3)), {"dim": 0})
    yield Sample((make(2, 3), make(2, 3)))
    yield Sample((make(2, 3),), {"dx": 0.5, "dim": 0})


def _steps(name: str, y: Any, x: Any, dim: int) -> Any:
    """Returns the distances of neighbouring points, in a shape that goes with ``y``."""
    if len(x._a.shape) == 1:
        if x._a.shape[0] != y._a.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        x = x.reshape([-1 if d == dim else 1 for d in range(len(y._a.shape))])
    elif len(x._a.shape) < len(y._a.shape):
        x = x.reshape((1,) * (len(y._a.shape) - len(x._a.shape)) + tuple(x._a.shape))
    n = x._a.shape[dim]
    return _part(x, dim, 1, n - 1) - _part(x, dim, 0, n - 1)


def _check_bool(name: str, y: Tensor, x: Tensor | None) -> None:
    if any(t is not None and t._key.dtype.category == BOOL for t in (y, x)):
        which = "`y`" if x is None else "`x` or `y`"
        raise RuntimeError(f"{name}: received a bool input for {which}, but bool is not supported")


def _pairs(y: Any, dim: int) -> Any:
    """Returns the sums of neighbours."""
    n = y._a.shape[dim]
    return _part(y, dim, 1, n - 1) + _part(y, dim, 0, n - 1)


@composite(names=("trapz",), samples=_trapezoid_samples)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Returns the area under the points along ``dim``, which lie ``dx`` apart or at ``x``.

    >>> torch.trapezoid(torch.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    dim = wrap_dim(dim, len(y._a.shape))
    empty = not y._a.shape or not y._a.shape[dim]
    if empty and x is None:
        return y.new_zeros([n for d, n in enumerate(y._a.shape) if d != dim])
    _check_bool("trapezoid", y, x)
    if x is not None:
        if empty:
            return y.new_zeros([n for d, n in enumerate(y._a.shape) if d != dim])
        return (_pairs(y, dim) * _steps("trapezoid", y, x, dim)).sum(dim) / 2.0  # type: ignore[no-any-return]  # as above
    ends = y.select(dim, 0) + y.select(dim, -1)
    return (y.sum(dim) - ends * 0.5) * dx


@composite(samples=_trapezoid_samples)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Returns the areas from the first point to each later one along ``dim``.

    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    dim = wrap_dim(dim, len(y._a.shape))
    _check_bool("cumulative_trapezoid", y, x)
    if x is None:
        return (dx / 2.0 * _pairs(y, dim)).cumsum(dim)  # type: ignore[no-any-return]  # methods arrive from the table
    steps = _steps("cumulative_trapezoid", y, x, dim)
    return (steps * _pairs(y, dim)).cumsum(dim) / 2.0  # type: ignore[no-any-return]  # as above


# --- derivatives ------------------------------------------------------------------------------------------------------


def _gradient_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4, 5),))
    yield Sample((make(4, 5),), {"spacing": 0.5, "dim": 1, "edge_order": 2})
    yield Sample((make(4),), {"spacing": (make(4),)}, grad=False)


def _spaced(f: Any, dim: int, h: Any, edge_order: int) -> Tensor:
    """Returns differences over twice the distance ``h``, one-sided at the ends."""
    n = f._a.shape[dim]

    def at(i: int) -> Any:
        return _part(f, dim, i % n, 1)

    if edge_order == 1:
        first, last = (at(1) - at(0)) / h, (at(-1) - at(-2)) / h
    else:
        first = (-1.5 * at(0) + 2 * at(1) - 0.5 * at(2)) / h
        last = (0.5 * at(-3) - 2 * at(-2) + 1.5 * at(-1)) / h
    middle = (_part(f, dim, 2, n - 2) - _part(f, dim, 0, n - 2)) / (h * 2)
    return FUNCTIONS["cat"]([first, middle, last], dim)  # type: ignore[no-any-return]  # an entry of the table


def _uneven(f: Any, dim: int, x: Any, edge_order: int) -> Tensor:
    """Returns second-order differences for points at ``x``."""
    n = f._a.shape[dim]
    shape = [-1 if d == dim else 1 for d in range(len(f._a.shape))]
    steps = FUNCTIONS["diff"](x).reshape(shape)

    def at(i: int) -> Any:
        return _part(f, dim, i % n, 1)

    def gap(i: int) -> Any:
        return _part(steps, dim, i % (n - 1), 1)

    before, after = _part(steps, dim, 0, n - 2), _part(steps, dim, 1, n - 2)
    both = before + after
    a, b, c = -after / (before * both), (after - before) / (before * after), before / (after * both)
    middle = a * _part(f, dim, 0, n - 2) + b * _part(f, dim, 1, n - 2) + c * _part(f, dim, 2, n - 2)
    if edge_order == 1:
        first, last = (at(1) - at(0)) / gap(0), (at(-1) - at(-2)) / gap(-1)
    else:
        h, k = gap(0), gap(1)
        first = -(2 * h + k) / (h * (h + k)) * at(0) + (h + k) / (h * k) * at(1) - h / (k * (h + k)) * at(2)
        h, k = gap(-2), gap(-1)
        last = k / (h * (h + k)) * at(-3) - (k + h) / (h * k) * at(-2) + (2 * k + h) / (k * (h + k)) * at(-1)
    return FUNCTIONS["cat"]([first, middle, last], dim)  # type: ignore[no-any-return]  # an entry of the table


def _check_gradient(input: Tensor, count: int | None, dims: list[int] | None, order: int) -> list[int]:
    """Returns the wrapped dims to go along; RuntimeError where the arguments do not fit together."""
    ndim = len(input._a.shape)
    if input._key.dtype.name == "uint8":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if count is not None and dims is None and count != ndim:
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
            f"{ndim}', since dim argument was not given, but got a list of length {count}"
        )
    if count is not None and dims is not None and count != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the "
            f"same length, but got a spacing argument of length {count} and a dim argument of length {len(dims)}."
        )
    if order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    along = list(range(ndim)) if dims is None else [wrap_dim(d, ndim) for d in dims]
    for i, d in enumerate(along):
        if d in along[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    if any(input._a.shape[d] < order + 1 for d in along):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return along


@composite(samples=_gradient_samples)
def gradient(
    input: Tensor,
    *,
    spacing: Any = None,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """Returns the estimated derivatives along each of ``dim``, exact for parabolas; ``spacing``: distances or points.

    >>> torch.gradient(torch.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    listed = isinstance(spacing, (list, tuple))
    points = listed and len(spacing) > 0 and isinstance(spacing[0], Tensor)
    along = _check_gradient(input, len(spacing) if listed else None, dims, edge_order)
    given: list[Any] = list(spacing) if listed else [1.0 if spacing is None else spacing] * len(along)
    if points:
        for d, x in zip(along, given, strict=True):
            if len(x._a.shape) != 1:
                raise RuntimeError(
                    "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                    f"{len(x._a.shape)} dimensions!"
                )
            if x._a.shape[0] != input._a.shape[d]:
                raise RuntimeError(
                    f"gradient(): spacing has {x._a.shape[0]} points for dimension {d}, which has {input._a.shape[d]}"
                )
        return tuple([_uneven(input, d, x, edge_order) for d, x in zip(along, given, strict=True)])
    return tuple([_spaced(input, d, h, edge_order) for d, h in zip(along, given, strict=True)])


# --- powers -----------------------------------------------------------------------------------------------------------


def _vander_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4),))
    yield Sample((make(3), 5, True))


@composite(samples=_vander_samples)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Returns the powers 0 to ``N`` - 1 of each element, one element a row; the highest first unless ``increasing``.

    >>> torch.vander(torch.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if len(x._a.shape) != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = int(x._a.shape[0]) if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    base: Any = METHODS["to"](x, int64) if x._key.dtype.category < FLOATING else x
    if count == 0:
        return base.new_zeros((x._a.shape[0], 0))  # type: ignore[no-any-return]  # an entry of the table
    factors = [FUNCTIONS["ones_like"](base).unsqueeze(1)]
    if count > 1:
        factors.append(base.unsqueeze(1).expand(-1, count - 1).cumprod(1))
    out = FUNCTIONS["cat"](factors, 1)
    return out if increasing else out.flip(1)  # type: ignore[no-any-return]  # as above
