"""In-place methods as functions: ``torch.relu_(x)`` is ``x.relu_()``, for the names that torch has both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["NAMES"]

NAMES: Final = (
    "abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_", "arctanh_",
    "as_strided_", "asin_", "asinh_", "atan_", "atanh_", "ceil_", "clamp_", "clamp_max_", "clamp_min_", "clip_",
    "conj_physical_", "cos_", "cosh_", "deg2rad_", "detach_", "erf_", "erfc_", "exp2_", "exp_", "expm1_", "fill_",
    "fix_", "floor_", "frac_", "gcd_", "i0_", "index_put_", "lcm_", "ldexp_", "log10_", "log1p_", "log2_", "log_",
    "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_", "resize_as_", "round_", "rsqrt_",
    "sigmoid_", "sin_", "sinc_", "sinh_", "sqrt_", "square_", "tan_", "tanh_", "trunc_", "xlogy_", "zero_",
)  # fmt: skip


def _function(name: str) -> Callable[..., Tensor]:
    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return METHODS[name](input, *args, **kwargs)  # type: ignore[no-any-return]  # an entry of the table

    write.__name__ = write.__qualname__ = name
    write.__doc__ = f"Returns ``input`` after ``input.{name}(...)`` has written into it."
    return write


FUNCTIONS.update({name: _function(name) for name in NAMES})


def fill(input: Tensor, value: Any) -> Tensor:
    """Returns a tensor like ``input``, full of one number or of a 0-dimensional tensor's."""
    return METHODS["fill_"](METHODS["clone"](input), value)  # type: ignore[no-any-return]  # an entry of the table


FUNCTIONS["fill"] = fill
