"""Products of matrices in groups of several sizes, and the switch by which torch makes functions with two results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["boolean_dispatch", "grouped_mm", "scaled_grouped_mm", "scaled_mm"]


def _ends(offs: Tensor | None, wanted: bool) -> list[int]:
    if (offs is None) == wanted:
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    return [] if offs is None else [int(n) for n in offs.tolist()]


def _pieces(ends: list[int]) -> list[tuple[int, int]]:
    begins = [0, *ends][: len(ends)]
    return [(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]


def grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    *,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: DType | None = None,
) -> Tensor:
    """Returns a product for each group; ``offs`` says where groups end in the dimension that they divide.

    Rows of ``mat_a`` (M, K) with ``mat_b`` (G, K, N) give (M, N); columns of ``mat_b`` (K, N) with (G, M, K) give
    (M, N); two matrices are divided along what is summed over and give (G, M, N); two batches are multiplied as usual.
    """
    if mat_a.dim() not in (2, 3):
        raise RuntimeError("mat_a has to be 2 or 3d")
    if mat_b.dim() not in (2, 3):
        raise RuntimeError("mat_b has to be 2 or 3d")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if out_dtype is not None and out_dtype is not mat_a.dtype:
        raise RuntimeError("Grouped gemm output dtype must match `mat_a` dtype")
    a_flat, b_flat = mat_a.dim() == 2, mat_b.dim() == 2
    if not (a_flat and b_flat) and mat_a.size(-1) != mat_b.size(-2):
        raise RuntimeError("contraction dimension of mat_a and mat_b must match")
    pieces = _pieces(_ends(offs, a_flat or b_flat))
    if a_flat and b_flat:
        parts = [mat_a.narrow(1, begin, n) @ mat_b.narrow(0, begin, n) for begin, n in pieces]
        return FUNCTIONS["stack"](parts)  # type: ignore[no-any-return]  # an entry of the table
    if a_flat:
        parts = [mat_a.narrow(0, begin, n) @ mat_b[i] for i, (begin, n) in enumerate(pieces)]
        return FUNCTIONS["cat"](parts, 0)  # type: ignore[no-any-return]  # as above
    if b_flat:
        parts = [mat_a[i] @ mat_b.narrow(1, begin, n) for i, (begin, n) in enumerate(pieces)]
        return FUNCTIONS["cat"](parts, 1)  # type: ignore[no-any-return]  # as above
    return mat_a.bmm(mat_b)


def scaled_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    scale_a: Any,
    scale_recipe_a: Any,
    scale_b: Any,
    scale_recipe_b: Any,
    swizzle_a: Any = None,
    swizzle_b: Any = None,
    bias: Tensor | None = None,
    output_dtype: DType | None = None,
    contraction_dim: Any = (),
    use_fast_accum: bool = False,
) -> Tensor:
    """Raises NotImplementedError: products of 8-bit floats need dtypes that no backend has."""
    raise NotImplementedError("scaled_mm: products of float8 matrices are not supported by any backend")


def scaled_grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    scale_a: Any,
    scale_recipe_a: Any,
    scale_b: Any,
    scale_recipe_b: Any,
    swizzle_a: Any = None,
    swizzle_b: Any = None,
    bias: Tensor | None = None,
    offs: Tensor | None = None,
    output_dtype: DType | None = None,
    contraction_dim: Any = (),
    use_fast_accum: bool = False,
) -> Tensor:
    """Raises NotImplementedError: products of 8-bit floats need dtypes that no backend has."""
    raise NotImplementedError("scaled_grouped_mm: products of float8 matrices are not supported by any backend")


def boolean_dispatch(
    arg_name: str,
    arg_index: int,
    default: bool,
    if_true: Callable[..., Any],
    if_false: Callable[..., Any],
    module_name: str | None,
    func_name: str | None,
) -> Callable[..., Any]:
    """Returns a function that is one of two, by an argument that is true or false."""

    def fn(*args: Any, **kwargs: Any) -> Any:
        flag = args[arg_index] if arg_index < len(args) else kwargs.get(arg_name, default)
        return (if_true if flag else if_false)(*args, **kwargs)

    fn.__doc__ = if_true.__doc__ if if_false.__doc__ is None else if_false.__doc__
    if module_name is not None:
        fn.__module__ = module_name
    if func_name is not None:
        fn.__name__ = func_name
    return fn
