"""torch.masked: reductions and normalisations that leave out the elements where a mask is False.

Each fills what is masked out with the value that changes nothing, then asks the op of the table. A reduction of which
every element is masked out returns that value. Knows ops; there is no ``MaskedTensor``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.dtypes import bool_ as _BOOL
from dispatchtorch._base.dtypes import float32 as _FLOAT32
from dispatchtorch._base.dtypes import int64 as _INT64
from dispatchtorch._base.limits import iinfo
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.ops.magnitude import vector_norm as _vector_norm
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median",
    "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

Dims = int | tuple[int, ...] | list[int] | None
_ops: Final[dict[str, Callable[..., Tensor]]] = FUNCTIONS


def _dims(dim: Dims, ndim: int) -> tuple[int, ...]:
    """Returns the dims that a reduction goes over: all of them where none is named."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    wrapped = []
    for one in (dim,) if isinstance(dim, int) else dim:
        found = wrap_dim(one, ndim)
        if found in wrapped:
            raise RuntimeError(f"dim={found} appears multiple times in the list of dims")
        wrapped.append(found)
    return tuple(wrapped)


def _mask_of(input: Tensor, mask: Tensor) -> Tensor:
    """Returns the mask in the input's shape, as bools."""
    if mask.shape != input.shape:
        if mask.ndim > input.ndim:
            raise IndexError(
                "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)"
            )
        mask = _ops["broadcast_to"](mask.clone(), input.shape)
    return mask.to(_BOOL)


def _lowest(dtype: DType) -> float:
    return -math.inf if dtype.is_floating_point else iinfo(dtype).min


def _highest(dtype: DType) -> float:
    return math.inf if dtype.is_floating_point else iinfo(dtype).max


def _filled(input: Tensor, mask: Tensor | None, value: float | complex) -> Tensor:
    """Returns the input with ``value`` where the mask is False."""
    if mask is None:
        return input
    fill = _ops["full"]((), value, dtype=input.dtype, device=input.device)
    return _ops["where"](_mask_of(input, mask), input, fill)


def _strided(name: str, input: Tensor) -> None:
    if str(input.layout) != "torch.strided":
        raise ValueError(f"masked {name} expects strided tensor (got {input.layout} tensor)")


def _summed(dtype: DType) -> DType:
    """Returns the dtype in which small integers are added up and multiplied."""
    return dtype if dtype.is_floating_point or dtype.is_complex else _INT64


def sum(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns sums over ``dim`` of the elements where ``mask`` is True; 0 where none is.

    >>> import dispatchtorch as torch
    >>> torch.masked.sum(torch.tensor([[1, 2], [3, 4]]), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([1, 0])
    """
    _strided("sum", input)
    dtype = dtype or _summed(input.dtype)
    return _ops["sum"](_filled(input, mask, 0), _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


def prod(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns products over ``dim`` of the elements where ``mask`` is True; 1 where none is."""
    _strided("prod", input)
    dtype = dtype or _summed(input.dtype)
    result = _filled(input, mask, 1)
    for one in sorted(_dims(dim, input.ndim), reverse=True):
        result = _ops["prod"](result, one, bool(keepdim), dtype=dtype)
    return result.to(dtype)


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Returns running sums along ``dim``, to which elements where ``mask`` is False add nothing."""
    _strided("cumsum", input)
    return _ops["cumsum"](_filled(input, mask, 0), _dims(dim, input.ndim)[0], dtype=dtype or input.dtype).to(
        dtype or input.dtype
    )


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Returns running products along ``dim``, which elements where ``mask`` is False leave as they are."""
    _strided("cumprod", input)
    return _ops["cumprod"](_filled(input, mask, 1), _dims(dim, input.ndim)[0], dtype=dtype or input.dtype).to(
        dtype or input.dtype
    )


def amax(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns the largest elements over ``dim`` where ``mask`` is True; the least number of the dtype where none is."""
    _strided("amax", input)
    filled = _filled(input, mask, _lowest(input.dtype))
    return _ops["amax"](filled, _dims(dim, input.ndim), bool(keepdim)).to(dtype or input.dtype)


def amin(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns the least elements over ``dim`` where ``mask`` is True; the largest number of the dtype where none is."""
    _strided("amin", input)
    filled = _filled(input, mask, _highest(input.dtype))
    return _ops["amin"](filled, _dims(dim, input.ndim), bool(keepdim)).to(dtype or input.dtype)


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns the places of the largest elements where ``mask`` is True."""
    _strided("argmax", input)
    found = _ops["argmax"](_filled(input, mask, _lowest(input.dtype)), dim, bool(keepdim))
    return found.to(dtype or input.dtype)  # torch gives places in the input's dtype


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns the places of the least elements where ``mask`` is True."""
    _strided("argmin", input)
    found = _ops["argmin"](_filled(input, mask, _highest(input.dtype)), dim, bool(keepdim))
    return found.to(dtype or input.dtype)  # torch gives places in the input's dtype


def _count(input: Tensor, dim: Dims, mask: Tensor | None, keepdim: bool) -> Tensor:
    """Returns how many elements are not masked out."""
    dims = _dims(dim, input.ndim)
    kept = (
        _ops["ones"](tuple(input.shape), dtype=_INT64, device=input.device) if mask is None else _mask_of(input, mask)
    )
    return _ops["sum"](kept, dims, keepdim)


def mean(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns means over ``dim`` of the elements where ``mask`` is True; nan where none is."""
    source, wanted = ("Input", input.dtype) if dtype is None else ("Optional", dtype)
    if not (wanted.is_floating_point or wanted.is_complex):
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point or complex dtype. "
            f"Got: {wanted}"
        )
    _strided("mean", input)
    total = sum(input, dim, keepdim=keepdim, dtype=wanted, mask=mask)
    return total / _count(input, dim, mask, bool(keepdim))


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns medians along ``dim`` of the elements where ``mask`` is True; nan where none is."""
    wanted = dtype or input.dtype
    real = input.dtype.is_floating_point
    values = _filled(input if real else input.to(_FLOAT32), mask, math.nan)
    _strided("median", values)
    found = _ops["nanmedian"](values, _dims(dim, input.ndim)[0], keepdim)[0]
    if real:
        return found
    if bool(_ops["isnan"](found).any()):
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return found.to(wanted)


def logsumexp(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Returns log(sum(exp(input))) over ``dim`` of the elements where ``mask`` is True; -inf where none is."""
    wanted = dtype or input.dtype
    _strided("logsumexp", input)
    lowest = -math.inf if input.dtype.is_complex else _lowest(input.dtype)
    filled = _filled(input, mask, lowest)
    return _ops["logsumexp"](filled, _dims(dim, input.ndim), keepdim).to(wanted)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DType | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """Returns log(exp(input) + exp(other)), to which what is masked out adds nothing."""
    _strided("logaddexp", input)
    _strided("logaddexp", other)
    first = _filled(input, input_mask, _lowest(input.dtype))
    second = _filled(other, other_mask, _lowest(other.dtype))
    return _ops["logaddexp"](first, second).to(dtype or input.dtype)


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns vector norms over ``dim`` of the elements where ``mask`` is True."""
    _strided("norm", input)
    order = 2.0 if ord is None else ord
    filled = _filled(input, mask, math.inf if order == -math.inf else 0)
    return _vector_norm(filled, order, _dims(dim, input.ndim), bool(keepdim), dtype=dtype or input.dtype)


def _spread(
    input: Tensor,
    dim: Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    dtype: DType | None,
    mask: Tensor | None,
) -> Tensor:
    """Returns variances of the elements where ``mask`` is True."""
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None or unbiased else 0.0
    _strided("std/var", input)
    wanted = dtype or (input.dtype if _inexact(input.dtype) else _FLOAT32)
    computed = wanted if _inexact(wanted) else _FLOAT32
    count = _count(input, dim, mask, True)
    centred = input - sum(input, dim, keepdim=True, dtype=wanted, mask=mask) / count
    total = sum(centred * centred.conj(), dim, keepdim=keepdim, dtype=computed, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    if correction:
        real = computed.to_real() if computed.is_complex else computed
        count = _ops["clamp"](count.to(real) - correction, min=0)
    return (total / count).to(wanted)


def _inexact(dtype: DType) -> bool:
    return dtype.is_floating_point or dtype.is_complex


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns variances over ``dim`` of the elements where ``mask`` is True."""
    return _spread(input, dim, unbiased, correction, bool(keepdim), dtype, mask)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns standard deviations over ``dim`` of the elements where ``mask`` is True."""
    return _ops["sqrt"](_spread(input, dim, unbiased, correction, bool(keepdim), dtype, mask))


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Returns softmax along ``dim``; what is masked out is 0, and nan where everything is.

    >>> import dispatchtorch as torch
    >>> torch.masked.softmax(torch.tensor([0.0, 0.0, 5.0]), 0, mask=torch.tensor([True, True, False]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    filled = _filled(input, mask, _lowest(input.dtype))
    _strided("softmax", input)
    return _ops["softmax"](filled, _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Returns log(softmax) along ``dim``; what is masked out is -inf."""
    filled = _filled(input, mask, _lowest(input.dtype))
    _strided("log_softmax", input)
    return _ops["log_softmax"](filled, _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def softmin(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Returns softmax of the negated input along ``dim``; what is masked out is 0."""
    filled = _filled(input, mask, _highest(input.dtype))
    _strided("softmin", input)
    return _ops["softmax"](-filled, _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Returns the input divided by its norm along ``dim``, which is at least ``eps``; what is masked out is 0."""
    filled = _filled(input, mask, 0)
    _strided("normalize", input)
    length = norm(input, ord, dim, keepdim=True, dtype=dtype or input.dtype, mask=mask)
    return filled / _ops["maximum"](length, _ops["full"]((), eps, dtype=length.dtype, device=length.device))
