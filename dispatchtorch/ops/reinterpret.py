"""Views that read the same bits as another dtype: `view(dtype)`, real and imaginary parts, pairs as complex numbers.

On an immutable library a storage is seen as the other dtype whenever it is read, so these views alias as anywhere.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from dispatchtorch._base.dtypes import DType, complex64, complex128
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.dispatch.table import view as declare_view
from dispatchtorch.tensor.interop import host_dtype
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["TensorLens", "imag", "real", "view_as_complex", "view_as_real", "view_dtype"]

TensorLens: TypeAlias = Lens  # what the body of a view op gets for a tensor: where its elements are


@declare_view(
    native=lambda a, dtype, name, ratio: a.view(host_dtype(dtype)),
    recast=lambda _, dtype, name, ratio: dtype,
    node="ViewBackward1",
)
def _view_bits(input: TensorLens, dtype: DType, name: str, ratio: tuple[int, int]) -> Lens:
    """Returns the same memory; ``ratio`` says how many elements of the new dtype are how many of the old one."""
    new, old = ratio
    if new == old:
        return input
    shape = (*input.shape[:-1], input.shape[-1] * new // old)
    strides = (*[s * new // old for s in input.strides[:-1]], 1)
    return Lens(shape, strides, input.offset * new // old)


def view_dtype(input: Tensor, dtype: DType) -> Tensor:
    """Returns a view of the bits as another dtype; sizes change in the last dimension where the itemsize differs."""
    mine, other = input._key.dtype.itemsize, dtype.itemsize
    if mine != other:
        lens = lens_of(input)
        if not lens.shape:
            raise RuntimeError(
                f"self.dim() cannot be 0 to view {input._key.dtype.legacy} as {dtype.legacy} (different element sizes)"
            )
        if lens.strides[-1] != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {input._key.dtype.legacy} as {dtype.legacy} (different element "
                f"sizes), but got {lens.strides[-1]}"
            )
        if other > mine and lens.shape[-1] % (other // mine):
            raise RuntimeError(
                f"self.size(-1) must be divisible by {other // mine} to view {input._key.dtype.legacy} as "
                f"{dtype.legacy} (different element sizes), but got {lens.shape[-1]}"
            )
        if other > mine:
            _require_divisible(input, dtype, other // mine)
    return _view_bits(input, dtype, dtype.name, (max(mine // other, 1), max(other // mine, 1)))


def _require_divisible(input: Tensor, dtype: DType, by: int) -> None:
    lens = lens_of(input)
    facts = [("storage_offset()", lens.offset)]
    facts += [(f"stride({dim})", stride) for dim, stride in enumerate(lens.strides[:-1])]
    for name, value in facts:
        if value % by:
            raise RuntimeError(
                f"self.{name} must be divisible by {by} to view {input._key.dtype.legacy} as {dtype.legacy} (different "
                f"element sizes), but got {value}"
            )


@declare_view(
    grad={"input": lambda g: _complexed(g)},
    native=lambda a: a.real,
    recast=lambda dtype: dtype.to_real(),
    node="SelectBackward0",
)
def _real_view(input: TensorLens) -> Lens:
    """Returns the first real of each pair."""
    return Lens(input.shape, _doubled(input), 2 * input.offset)


@declare_view(
    grad={"input": lambda g: _complexed(g) * 1j},
    native=lambda a: a.imag,
    recast=lambda dtype: dtype.to_real(),
    node="SelectBackward0",
)
def _imag_view(input: TensorLens) -> Lens:
    """Returns the second real of each pair."""
    return Lens(input.shape, _doubled(input), 2 * input.offset + 1)


def _doubled(lens: Lens) -> tuple[int, ...]:
    return tuple([2 * s for s in lens.strides])


def _complexed(g: Tensor) -> Tensor:
    return METHODS["to"](g, g._key.dtype.to_complex())  # type: ignore[no-any-return]  # an entry of the table


@composite()
def real(input: Tensor) -> Tensor:
    """Returns the real part, a view; a real tensor is its own.

    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    if not input._key.dtype.is_complex:
        return input
    return _real_view(input)


@composite()
def imag(input: Tensor) -> Tensor:
    """Returns the imaginary part, as `real` does; RuntimeError for a real tensor.

    >>> torch.imag(torch.tensor([1 + 2j]))
    tensor([2.])
    """
    if not input._key.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag_view(input)


METHODS["real"] = property(real)  # type: ignore[assignment]  # members that are read, not called
METHODS["imag"] = property(imag)  # type: ignore[assignment]  # as above


def _native_pairs(a: Any) -> Any:
    parts = a[..., None].view(a.real.dtype) if a.size else a[..., None].real
    return parts if a.size else parts.repeat(2, -1)


@declare_view(
    grad={"input": lambda g: view_as_complex(METHODS["contiguous"](g))},
    native=_native_pairs,
    recast=lambda dtype: dtype.to_real(),
    node="ViewAsRealBackward0",
)
def _view_as_real(input: TensorLens) -> Lens:
    """Returns the pairs themselves."""
    return Lens((*input.shape, 2), (*_doubled(input), 1), 2 * input.offset)


@composite()
def view_as_real(input: Tensor) -> Tensor:
    """Returns a view of complex numbers as pairs, in a last dimension of size 2.

    >>> torch.view_as_real(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    if not input._key.dtype.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _view_as_real(input)


def _native_complex(a: Any) -> Any:
    return a.view("complex" + str(16 * a.itemsize))[..., 0]


@declare_view(
    grad={"input": lambda g: view_as_real(g)},
    native=_native_complex,
    recast=lambda dtype: complex128 if dtype.itemsize == 8 else complex64,
    node="ViewAsComplexBackward0",
)
def _view_as_complex(input: TensorLens) -> Lens:
    """Returns each pair as one number."""
    return Lens(input.shape[:-1], tuple([s // 2 for s in input.strides[:-1]]), input.offset // 2)


@composite()
def view_as_complex(input: Tensor) -> Tensor:
    """Returns a view of pairs in the last dimension as complex numbers.

    >>> torch.view_as_complex(torch.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    key, lens = input._key, lens_of(input)
    if key.dtype.name not in ("float32", "float64", "float16"):
        raise RuntimeError(
            f"view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{key.dtype.legacy}"
        )
    if not lens.shape:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if lens.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if lens.strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(stride % 2 for stride in lens.strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    return _view_as_complex(input)
