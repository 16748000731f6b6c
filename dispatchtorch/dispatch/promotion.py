"""The facts of a call before any kernel: who serves it, in what dtype, and with what kernel.

torch's promotion lives here once, above every backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import (
    FLOATING,
    INTEGRAL,
    DType,
    bool_,
    complex64,
    complex128,
    float32,
    float64,
    get_default_dtype,
    of_number,
    promote,
    result_category,
)
from dispatchtorch.dispatch.op import DTYPE, STATIC, TENSOR, Op
from dispatchtorch.dispatch.resolve import kernel_for
from dispatchtorch.dispatch.sparse import SparseMet
from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.sparse import is_sparse_key

__all__ = [
    "NUMBERS",
    "MixedBackendsError",
    "combination_error",
    "dtypes_of",
    "leading_key",
    "pointwise_kernel",
    "promoted",
    "recover",
]

NUMBERS: Final = (bool, int, float, complex)


class MixedBackendsError(RuntimeError):
    """Tensors of two backends met in one op."""

    def __init__(self, op: str, first: Key, second: Key) -> None:
        super().__init__(
            f"{op.strip('_')}: expected all tensors to be on the same backend, but found at least two, "
            f"{first.backend.name} ({first.device}) and {second.backend.name} ({second.device}); "
            "move one with .to(backend=...)"
        )


def combination_error(op: Op, given: Sequence[str]) -> TypeError:
    """Returns torch's error for a call of two arguments that fits none of an op's forms."""
    first, second = op.params
    forms = [f" * (Tensor {first}, Tensor {second}, *, Tensor out = None)\n"]
    if op.numbers[0] and op.number_first_out:
        forms.append(f" * (Number self, Tensor {second}, *, Tensor out = None)\n")
    elif op.numbers[0]:
        wrong = ", ".join(f"!{name}!" for name in given)
        forms.append(
            f" * (Number self, Tensor {second})\n"
            f"      didn't match because some of the arguments have invalid types: ({wrong})\n"
        )
    forms.append(f" * (Tensor {first}, Number {second}, *, Tensor out = None)\n")
    name = op.name.strip("_")
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({', '.join(given)}), but expected one of:\n"
        + "".join(forms)
    )


def leading_key(op: Op, keys: Sequence[Key | type | None]) -> Key:
    """Returns the key whose backend and device serve the call; RuntimeError for a mixture."""
    lead: Key | None = None
    for key in keys:
        if not isinstance(key, Key):
            continue
        if lead is None or (lead.zero_dim and not key.zero_dim and lead.backend is key.backend):
            lead, key = key, lead or key
        if key.backend is not lead.backend:
            if is_sparse_key(key) or is_sparse_key(lead):
                raise SparseMet
            raise MixedBackendsError(op.name, lead, key)
        if key.device != lead.device and not (key.zero_dim and key.device.type == "cpu"):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{lead.device} and {key.device}!"
            )
    if lead is None:
        if op.numbers == (True, True):
            raise combination_error(op, [k.__name__ for k in keys if isinstance(k, type)])
        raise TypeError(f"{op.name}(): argument '{op.params[0]}' (position 1) must be Tensor")
    return lead


def promoted(keys: Sequence[Key | type | None]) -> DType:
    """Returns torch's common dtype: dimensioned tensors first, then 0-dimensional ones, then Python numbers."""
    result: DType | None = None
    zero: DType | None = None
    for key in keys:
        if isinstance(key, Key):
            if key.zero_dim:
                zero = key.dtype if zero is None else promote(zero, key.dtype)
            else:
                result = key.dtype if result is None else promote(result, key.dtype)
    if result is None:
        result = zero
    elif zero is not None and zero.category > result.category:
        if zero.is_complex:  # of a floating tensor's own precision
            result = zero if not result.is_floating_point else complex128 if result is float64 else complex64
        else:
            result = promote(result, zero)
    for key in keys:
        if isinstance(key, type):
            result = of_number(key) if result is None else result_category(result, key)
    assert result is not None  # a call has at least one tensor
    return result


def dtypes_of(op: Op, common: DType) -> tuple[DType, DType]:
    """Returns the dtype a pointwise op computes in and the one it gives."""
    rule = op.dtype_rule
    if rule == "float" and common.category < FLOATING:
        common = get_default_dtype()
    if rule == "bool":
        return common, bool_
    if rule == "real":
        return common, common.to_real()
    return common, common


def fits(kernel: Kernel, key: Key, op: Op, wanted: Sequence[Any], common: DType) -> Kernel:
    """Returns the kernel with its array arguments cast to the common dtype first, where any differs."""
    casts = tuple(isinstance(k, Key) and k.dtype is not common for k in wanted)
    if not any(casts):
        return kernel
    native = key.backend.dtype(common.name)

    def cast_first(*args: Any) -> Any:
        return kernel(*[a.astype(native) if on else a for a, on in zip(args, casts, strict=True)])

    cast_first.__name__ = op.name
    return cast_first


def recover(op: Op, key: Key, kernel: Kernel, raws: Sequence[Any], error: Exception) -> Any:
    """Returns what the kernel gives with warnings off; or raises torch's error for shapes that do not broadcast."""
    if op.pointwise:
        shapes = [
            tuple(r.shape) for r, kind in zip(raws, op.kinds, strict=True) if kind == TENSOR and hasattr(r, "shape")
        ]
        broadcast_shapes(*shapes)
    if isinstance(error, RuntimeWarning):
        return key.backend.quiet(kernel)(*raws)
    if isinstance(error, OverflowError):
        fixed = [_wrapped_number(r, key) if isinstance(r, int) else r for r in raws]
        return key.backend.quiet(kernel)(*fixed)
    raise error


def _wrapped_number(value: int, key: Key) -> int:
    size = 8 * key.dtype.itemsize
    value &= (1 << size) - 1
    if key.dtype.is_signed and value >> (size - 1):
        value -= 1 << size
    return value


def pointwise_kernel(op: Op, keys: tuple[Any, ...]) -> tuple[Kernel, Key, DType]:
    """Returns the bound kernel for a combination of keys, casts included, the key that leads and the result's dtype."""
    key = leading_key(op, keys)
    zero_dim = all(k.zero_dim for k in keys if isinstance(k, Key))
    if any(op.masks):  # a condition is read as it is and lifts no dtype
        keys = tuple(None if mask else k for k, mask in zip(keys, op.masks, strict=True))
    common, result = dtypes_of(op, promoted(keys))
    if op.check is not None:
        op.check(keys, common)
    if widens(op, common, keys):
        return _widened(op, key, keys, zero_dim), key, result
    lead = key if key.dtype is common else key.as_dtype(common)
    static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
    casts = any(isinstance(k, Key) and k.dtype is not common for k in keys)
    if not casts:
        kernel = kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name))
        if op.dtype_rule == "bool" and int in keys and common.category == INTEGRAL and common.itemsize < 8:
            kernel = _narrowed(kernel, lead)
        return kernel, key, result
    if key.native:
        return (
            fits(kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name)), key, op, keys, common),
            key,
            result,
        )
    inner = kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name))
    return (
        key.backend.bind(fits(inner, key, op, keys, common), KernelCall(op.name, static, zero_dim, True, result.name)),
        key,
        result,
    )


def widens(op: Op, common: DType, keys: tuple[Any, ...]) -> bool:
    """Returns whether half precision meets a Python number in an op that torch then computes in float32."""
    return op.wide and common.category == FLOATING and common.itemsize == 2 and any(isinstance(k, type) for k in keys)


def _widened(op: Op, key: Key, keys: tuple[Any, ...], zero_dim: bool) -> Kernel:
    call = KernelCall(op.name, (), zero_dim, True, "float32")
    kernel = kernel_for(op, key.as_dtype(float32), call)
    wide, half = key.backend.dtype("float32"), key.backend.dtype(key.dtype.name)

    def widened(*args: Any) -> Any:
        return kernel(*[a.astype(wide) if isinstance(k, Key) else a for a, k in zip(args, keys, strict=True)]).astype(
            half
        )

    return widened if key.native else key.backend.bind(widened, call)


def _narrowed(kernel: Kernel, key: Key) -> Kernel:
    """Returns a comparison whose Python numbers are first brought into the dtype, as torch does: 300 is 44 in uint8."""

    def narrowed(*args: Any) -> Any:
        return kernel(*[_wrapped_number(a, key) if type(a) is int else a for a in args])

    return narrowed
