"""Whether values are among others, `isin`, and where flat positions lie in a shape, `unravel_index`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, INTEGRAL, int64, promote
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["isin", "unravel_index"]

Number = int | float | complex | bool


def _isin_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, dtype="int64", low=0, high=5), make(3, dtype="int64", low=0, high=5)))
    yield Sample((make(3, dtype="int64", low=0, high=5), 2), {"invert": True})
    yield Sample((make(4, dtype="int64", low=0, high=40), make(60, dtype="int64", low=0, high=40)))


def _check_isin(t: Any) -> None:
    if isinstance(t, Tensor) and t._key.dtype.category in (BOOL, COMPLEX):
        raise RuntimeError(f"Unsupported input type encountered for isin(): {t._key.dtype.legacy}")


@composite(out=True, samples=_isin_samples)
def isin(
    elements: Tensor | Number, test_elements: Tensor | Number, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Returns which of ``elements`` are equal to any of ``test_elements``; with ``invert``, which are not.

    >>> torch.isin(torch.tensor([[1, 2], [3, 4]]), torch.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    like = elements if isinstance(elements, Tensor) else test_elements
    if not isinstance(like, Tensor):
        raise TypeError("isin(): one of the arguments 'elements' and 'test_elements' must be a Tensor")
    for t in (elements, test_elements):
        _check_isin(t)
    if not isinstance(elements, Tensor):
        elements = FUNCTIONS["tensor"](elements, device=like._key.device, backend=like._key.backend)
    if not isinstance(test_elements, Tensor):
        test_elements = FUNCTIONS["tensor"](test_elements, device=like._key.device, backend=like._key.backend)
    x, tests = METHODS["detach"](elements), METHODS["detach"](test_elements).reshape(-1)
    count = int(tests._a.size)
    if count <= 16:
        found = (x.unsqueeze(-1) == tests).any(-1)
    else:
        common = promote(x._key.dtype, tests._key.dtype)
        x, tests = METHODS["to"](x, common), FUNCTIONS["sort"](METHODS["to"](tests, common))[0]
        places = FUNCTIONS["searchsorted"](tests, x.contiguous()).clamp(max=count - 1)
        found = tests[places] == x
    return FUNCTIONS["logical_not"](found) if invert else found  # type: ignore[no-any-return]  # entries of the table


def _unravel_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4, dtype="int64", low=0, high=6), (2, 3)))
    yield Sample((make(dtype="int64", low=0, high=6), 6))


@composite(samples=_unravel_samples)
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Returns the coordinates in ``shape`` of positions in the flattened order, one tensor for each dimension.

    >>> torch.unravel_index(torch.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    if not isinstance(indices, Tensor) or indices._key.dtype.category != INTEGRAL:
        have = indices._key.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise TypeError(f"expected 'indices' to be integer dtype, but got {have}")
    if not isinstance(shape, (int, Sequence)):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for n in sizes:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    places: Any = METHODS["to"](indices, int64)
    out = []
    step = 1
    for n in reversed(sizes):
        if not n and indices._a.size:
            raise RuntimeError("ZeroDivisionError")
        out.append((places // max(step, 1)) % max(n, 1))
        step *= n
    return tuple(reversed(out))
