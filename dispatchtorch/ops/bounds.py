"""Bounds, extremes of two, rounding and interpolation, elementwise."""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, INTEGRAL, DType, promote
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import masked_fill, where
from dispatchtorch.ops.compare import ge, le
from dispatchtorch.ops.pointwise import Number, Operand, _zeros, conj_of
from dispatchtorch.ops.samples import Maker, Sample, binary, unary
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Tensor

# --- bounds ----------------------------------------------------------------------------------------------------------


def _inside(input: Tensor, min: Operand, max: Operand) -> Tensor:
    if min is None:
        return le(input, max)
    return ge(input, min) if max is None else ge(input, min) & le(input, max)


def _min_backward(g: Tensor, input: Tensor, min: Operand, max: Operand) -> Tensor:
    chosen = input < min if max is None else (input < min) & (min < max)
    return where(chosen, g, 0.0)


def _max_backward(g: Tensor, input: Tensor, min: Operand, max: Operand) -> Tensor:
    chosen = input > max if min is None else (input > max) | (max < min)
    return where(chosen, g, 0.0)


def _clamp_name(node: Any) -> str:
    tensors = any(e is not None for e in node.edges[1:]) or any(isinstance(b, Tensor) for b in node.saved[1:3])
    return "ClampBackward0" if tensors else "ClampBackward1"


def _clampable(keys: Any, common: DType) -> None:
    """Raises torch's error for complex numbers, and for truth values between truth values, in its kernels' names."""
    low, high = (isinstance(k, Key) for k in keys[1:3])
    side = "" if keys[1] is not None and keys[2] is not None else "_min" if keys[2] is None else "_max"
    if common.category == BOOL and (side == "" or not (low or high)):
        raise NotImplementedError(f"\"clamp{side}{'' if low or high else '_scalar'}_cpu\" not implemented for 'Bool'")
    if common.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")


@pointwise(
    grad={
        "input": lambda g, input, min, max: where(_inside(input, min, max), g, 0.0),
        "min": _min_backward,
        "max": _max_backward,
    },
    node=_clamp_name,
    check=_clampable,
)
def _clamp(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Returns the values, no less than ``min`` and no more than ``max``."""
    ...


_clamp_inplace = _clamp.inplace  # type: ignore[attr-defined]  # derived by the decorator


def _need_bound(min: Operand, max: Operand) -> None:
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")


def clamp_(input: Tensor, min: Operand = None, max: Operand = None) -> Tensor:
    """Bounds in place."""
    _need_bound(min, max)
    return _clamp_inplace(input, min, max)  # type: ignore[no-any-return]  # derived by the decorator


def _bounded(make: Maker) -> Any:
    yield Sample((make(3, 4), -0.5, 0.75))
    yield Sample((make(3, 4), None, 0.75))
    yield Sample((make(3, 4), make(4), make(3, 1)))


@composite(method=True, out=True, inplace=clamp_, names=("clip",), samples=_bounded)
def clamp(input: Tensor, min: Operand = None, max: Operand = None) -> Tensor:
    """Returns the values, no less than ``min`` and no more than ``max``; numbers or tensors.

    >>> torch.clamp(torch.tensor([-2.0, 0.5, 3.0]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    _need_bound(min, max)
    return _clamp(input, min, max)


def _one_sided(t: Tensor, name: str, bound: Operand) -> Tensor:
    if t._edge is not None:
        t._edge.alias = f"{name}Backward{int(isinstance(bound, Tensor))}"  # as PyTorch numbers them
    return t


def _no_complex_bound(name: str, kernel: str, input: Any, bound: Operand) -> None:
    """Raises torch's errors for what is no tensor and for complex tensors."""
    argument = name[-3:]
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({type(input).__name__}, "
            f"{type(bound).__name__}), but expected one of:\n"
            f" * (Tensor input, Tensor {argument}, *, Tensor out = None)\n"
            f" * (Tensor input, Number {argument}, *, Tensor out = None)\n"
        )
    if isinstance(bound, Tensor) and COMPLEX in (input._key.dtype.category, bound._key.dtype.category):
        common = promote(input._key.dtype, bound._key.dtype)
        raise NotImplementedError(f"\"{kernel}_cpu\" not implemented for '{common.legacy}'")


def clamp_min_(input: Tensor, min: Operand) -> Tensor:
    """Bounds from below in place."""
    _no_complex_bound("clamp_min", "maximum", input, min)
    return _clamp_inplace(input, min, None)  # type: ignore[no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=clamp_min_)
def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """Returns the values, no less than ``min``.

    >>> torch.clamp_min(torch.tensor([-2.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
    """
    _no_complex_bound("clamp_min", "maximum", input, min)
    return _one_sided(_clamp(input, min, None), "ClampMin", min)


def clamp_max_(input: Tensor, max: Operand) -> Tensor:
    """Bounds from above in place."""
    _no_complex_bound("clamp_max", "minimum", input, max)
    return _clamp_inplace(input, None, max)  # type: ignore[no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=clamp_max_)
def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """Returns the values, no more than ``max``.

    >>> torch.clamp_max(torch.tensor([-2.0, 0.5]), 0)
    tensor([-2.,  0.])
    """
    _no_complex_bound("clamp_max", "minimum", input, max)
    return _one_sided(_clamp(input, None, max), "ClampMax", max)


# --- the larger and the smaller of two -------------------------------------------------------------------------------


def _halves(g: Tensor, mine: Tensor, other: Tensor, lost: Tensor) -> Tensor:
    return masked_fill(where(mine == other, g * 0.5, g), lost, 0.0)


@pointwise(
    grad={
        "input": lambda g, input, other: _halves(g, input, other, input < other),
        "other": lambda g, input, other: _halves(g, other, input, other < input),
    },
    inplace=False,
    check=refusals.not_complex("maximum not implemented for complex tensors."),
    samples=binary(number=False),
)
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """Returns the larger values; nan where either is.

    >>> torch.maximum(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, other: _halves(g, input, other, input > other),
        "other": lambda g, input, other: _halves(g, other, input, other > input),
    },
    inplace=False,
    check=refusals.not_complex("minimum not implemented for complex tensors."),
    samples=binary(number=False),
)
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """Returns the smaller values; nan where either is.

    >>> torch.minimum(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    ...


def _isnan(x: Tensor) -> Tensor:
    return x != x


@pointwise(
    grad={
        "input": lambda g, input, other: where((input >= other) | _isnan(other), g, 0.0),
        "other": lambda g, input, other: where((input >= other) | _isnan(other), 0.0, g),
    },
    inplace=False,
    check=refusals.not_complex("fmax not implemented for complex tensors."),
    samples=binary(number=False),
)
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """Returns the larger values; a number where only one is nan.

    >>> torch.fmax(torch.tensor([1.0, 5.0]), torch.tensor([3.0, float("nan")]))
    tensor([3., 5.])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, other: where((input <= other) | _isnan(other), g, 0.0),
        "other": lambda g, input, other: where((input <= other) | _isnan(other), 0.0, g),
    },
    inplace=False,
    check=refusals.not_complex("fmin not implemented for complex tensors."),
    samples=binary(number=False),
)
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """Returns the smaller values; a number where only one is nan.

    >>> torch.fmin(torch.tensor([1.0, 5.0]), torch.tensor([3.0, float("nan")]))
    tensor([1., 5.])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, out: g * (input / out),
        "other": lambda g, other, out: g * (other / out),
    },
    check=refusals.not_implemented("hypot_cpu", "bool", "integral", "complex"),
    samples=binary(low=0.5, number=False),
)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``sqrt(input**2 + other**2)`` without overflow.

    >>> torch.hypot(torch.tensor([3.0]), torch.tensor([4.0]))
    tensor([5.])
    """
    ...


# --- rounding --------------------------------------------------------------------------------------------------------


def _rounding(name: str) -> refusals.Check:
    def check(keys: Any, common: DType) -> None:
        if common.category == BOOL:
            raise NotImplementedError(f"\"{name}_vml_cpu\" not implemented for 'Bool'")
        if common.is_complex and name == "round":
            raise NotImplementedError(f"\"round_vml_cpu\" not implemented for '{common.legacy}'")
        if common.is_complex:
            raise NotImplementedError(f"{name} is not supported for complex inputs")

    return check


def _flat_backward(g: Tensor) -> Tensor:
    return _zeros(g)


@pointwise(grad={"input": _flat_backward}, check=_rounding("floor"), samples=unary())
def floor(input: Tensor) -> Tensor:
    """Returns the largest integers that are not larger.

    >>> torch.floor(torch.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
    """
    ...


@pointwise(grad={"input": _flat_backward}, check=_rounding("ceil"), samples=unary())
def ceil(input: Tensor) -> Tensor:
    """Returns the smallest integers that are not smaller.

    >>> torch.ceil(torch.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
    """
    ...


@pointwise(grad={"input": _flat_backward}, check=_rounding("trunc"), samples=unary())
def trunc(input: Tensor) -> Tensor:
    """Returns the integer parts.

    >>> torch.trunc(torch.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])
    """
    ...


@pointwise(
    grad={"input": lambda g: g},
    check=refusals.not_implemented("frac_cpu", "bool", "integral", "complex"),
    samples=unary(),
)
def frac(input: Tensor) -> Tensor:
    """Returns what is behind the point, with the sign.

    >>> torch.frac(torch.tensor([-1.5, 1.25]))
    tensor([-0.5000,  0.2500])
    """
    ...


@pointwise(grad={"input": _flat_backward}, kernel="", node="RoundBackward0", check=_rounding("round"), samples=unary())
def _round(input: Tensor) -> Tensor:
    """Returns the nearest integers; halves go to the even one."""
    ...


@pointwise(
    grad={"input": _flat_backward},
    node="RoundBackward1",
    check=refusals.not_implemented("round_cpu", "bool", "integral", "complex"),
)
def _round_decimals(input: Tensor, decimals: int) -> Tensor:
    """Returns values rounded to so many places behind the point."""
    ...


def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Rounds in place."""
    if decimals:
        return _round_decimals.inplace(input, decimals)  # type: ignore[attr-defined, no-any-return]  # derived
    return _round.inplace(input)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=round_)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Returns the nearest integers, or numbers of so many ``decimals``; halves go to the even one.

    >>> torch.round(torch.tensor([0.5, 1.5, 2.4]))
    tensor([0., 2., 2.])
    """
    return _round_decimals(input, decimals) if decimals else _round(input)


@pointwise(
    grad={"input": lambda g, input: where(_is_finite(input), g, 0.0)},
    node="NanToNumBackward0",
)
def _nan_to_num(input: Tensor, nan: Number, posinf: Number | None, neginf: Number | None) -> Tensor:
    """Returns values with nan and infinities replaced; None stands for the dtype's extremes."""
    ...


def _is_finite(x: Tensor) -> Tensor:
    return FUNCTIONS["isfinite"](x)  # type: ignore[no-any-return]  # an entry of the table


def nan_to_num_(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replaces nan and infinities in place."""
    if input._key.dtype.category <= INTEGRAL:
        return input
    return _nan_to_num.inplace(input, 0.0 if nan is None else nan, posinf, neginf)  # type: ignore[attr-defined, no-any-return]  # derived


@composite(method=True, out=True, inplace=nan_to_num_)
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Returns values with nan replaced by ``nan`` (0) and infinities by the given or the dtype's extreme numbers.

    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]), nan=2.0)
    tensor([2., 1.])
    """
    if input._key.dtype.category <= INTEGRAL:
        return input.clone()
    return _nan_to_num(input, 0.0 if nan is None else nan, posinf, neginf)


# --- interpolation ---------------------------------------------------------------------------------------------------


def _same_dtypes(keys: Any, common: DType) -> None:
    for key, name in zip(keys[1:], ("end", "weight"), strict=False):
        if hasattr(key, "dtype") and key.dtype is not keys[0].dtype:
            first, other = keys[0].dtype, key.dtype
            raise RuntimeError(f"expected dtype {_spoken(first)} for `{name}` but got dtype {_spoken(other)}")
    if keys[0].dtype.category <= INTEGRAL:
        raise NotImplementedError(f"\"lerp_kernel_scalar\" not implemented for '{keys[0].dtype.legacy}'")


_SPOKEN = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int",
    "int8": "signed char", "uint8": "unsigned char", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def _spoken(dtype: DType) -> str:
    return _SPOKEN.get(dtype.name, dtype.name)


@pointwise(
    grad={
        "input": lambda g, weight: g * conj_of(1 - weight),
        "end": lambda g, weight: g * conj_of(weight),
        "weight": lambda g, input, end: g * conj_of(end - input),
    },
    node=lambda node: "LerpBackward1" if node.edges[2] is not None else "LerpBackward0",
    check=_same_dtypes,
)
def _lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """Returns ``input + weight * (end - input)``, exact at both ends."""
    ...


def lerp_(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """Interpolates in place."""
    return _lerp.inplace(input, end, weight)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=lerp_)
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """Returns ``input + weight * (end - input)``, exact at both ends.

    >>> torch.lerp(torch.tensor([0.0]), torch.tensor([10.0]), 0.25)
    tensor([2.5000])
    """
    return _lerp(input, end, weight)


for _form in ("fix", "fix_"):
    METHODS[_form] = METHODS[_form.replace("fix", "trunc")]
FUNCTIONS["fix"] = FUNCTIONS["trunc"]
METHODS["clip_"] = clamp_
