"""Choosing by a condition: where, and filling under a mask."""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch._base.dtypes import (
    BOOL,
    COMPLEX,
    FLOATING,
    INTEGRAL,
    DType,
    bool_,
    of_number,
    result_category,
    uint8,
)
from dispatchtorch.dispatch.op import MaskTensor
from dispatchtorch.dispatch.overlap import require_apart
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops.compare import ne
from dispatchtorch.ops.pointwise import Number, Operand
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, wrap


def number_tensor(value: Number, like: Tensor, dtype: DType) -> Tensor:
    """Returns a 0-dimensional tensor holding a number, beside another tensor."""
    key = like._key
    raw = key.backend.namespace.asarray(value, dtype=key.backend.dtype(dtype.name))
    return wrap(raw, intern_key(key.backend, key.device, dtype, True))


@pointwise(
    grad={
        "input": lambda g, condition: _where(condition, g, 0.0),
        "other": lambda g, condition: _where(condition, 0.0, g),
    },
    node="WhereBackward0",
    inplace=False,
)
def _where(condition: MaskTensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input`` where the condition holds, ``other`` elsewhere."""
    ...


def _choices(make: Maker) -> Any:
    yield Sample((make(3, 4, dtype="bool"), make(3, 4), make(3, 4)))
    yield Sample((make(3, 1, dtype="bool"), make(4), 2.0))
    yield Sample((make(3, 4, dtype="bool"), make(), make(4)))


def _condition(condition: Any) -> Tensor:
    if not isinstance(condition, Tensor):
        raise TypeError(f"where(): argument 'condition' (position 1) must be Tensor, not {type(condition).__name__}")
    if condition._key.dtype is uint8:
        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future "
            "version of PyTorch. Use a boolean condition instead.",
            UserWarning,
            stacklevel=3,
        )
        return ne(condition, 0)
    raise RuntimeError(
        f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition._key.dtype.legacy}"
    )


@composite(out=True, samples=_choices)
def where(condition: Tensor, input: Operand = None, other: Operand = None) -> Tensor:
    """Returns ``input`` where the condition holds, ``other`` elsewhere; with the condition alone, where it holds.

    >>> torch.where(torch.tensor([True, False]), torch.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return FUNCTIONS["nonzero"](condition, as_tuple=True)  # type: ignore[no-any-return]  # an entry of the table
    if not isinstance(condition, Tensor) or condition._key.dtype is not bool_:
        condition = _condition(condition)
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        dtype = result_category(of_number(type(input)), type(other))
        input, other = number_tensor(input, condition, dtype), number_tensor(other, condition, dtype)
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Operand) -> Tensor:
    return where(condition, self, other)


METHODS["where"] = _where_method


@pointwise(
    grad={"input": lambda g, mask: _masked_fill(g, mask, 0.0)},
    node="MaskedFillBackward0",
)
def _masked_fill(input: Tensor, mask: MaskTensor, value: Number) -> Tensor:
    """Returns ``input`` with a number where the mask holds; the dtype stays."""
    ...


@pointwise(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0.0),
        "value": lambda g, mask: _where(mask, g, 0.0).sum(),
    },
    node="MaskedFillBackward1",
    inputs="any",  # the value may be one of those that it replaces
)
def _masked_fill_tensor(input: Tensor, mask: MaskTensor, value: Tensor) -> Tensor:
    """Returns ``input`` with a 0-dimensional value where the mask holds."""
    ...


_CTYPE = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t", "bool": "bool",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
}  # fmt: skip


def _fits(value: Any, dtype: DType) -> bool:
    if isinstance(value, complex):
        return dtype.category == COMPLEX or value.imag == 0
    if dtype.category != INTEGRAL:
        return True
    bits = 8 * dtype.itemsize
    top = (1 << (bits - 1 if dtype.is_signed else bits)) - 1
    low = -top - 1 if dtype.is_signed else 0 if isinstance(value, float) else -top
    high = top
    return bool(low <= value <= high)


def _fill(masked: bool, input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    dtype = input._key.dtype
    if mask._key.dtype is not bool_:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {_spoken(mask._key.dtype)}"
        )
    if not isinstance(value, Tensor):
        if dtype.category < FLOATING or isinstance(value, complex):
            if not _fits(value, dtype):
                raise RuntimeError(f"value cannot be converted to type {_CTYPE[dtype.name]} without overflow")
            if dtype.category < COMPLEX:
                value = value.real if isinstance(value, complex) else value
                value = bool(value) if dtype.category == BOOL else int(value) if dtype.category == INTEGRAL else value
        return (_masked_fill.inplace if masked else _masked_fill)(input, mask, value)  # type: ignore[attr-defined]  # derived
    if value._a.shape != ():
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value._a.shape)} dimension(s)."
        )
    if value._key.dtype is not dtype:
        if value._key.dtype.category == COMPLEX and dtype.category < COMPLEX and complex(value.item()).imag:
            raise RuntimeError(f"value cannot be converted to type {_CTYPE[dtype.name]} without overflow")
        value = value.to(dtype)
    if masked:
        require_apart(input, mask, "same")
    return (_masked_fill_tensor.inplace if masked else _masked_fill_tensor)(input, mask, value)  # type: ignore[attr-defined]  # derived


_SPOKEN = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int",
    "int8": "signed char", "uint8": "unsigned char", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
}  # fmt: skip


def _spoken(dtype: DType) -> str:
    return _SPOKEN.get(dtype.name, dtype.name)


def masked_fill_(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Writes ``value`` where the mask holds."""
    return _fill(True, input, mask, value)


def _masks(make: Maker) -> Any:
    yield Sample((make(3, 4), make(3, 4, dtype="bool"), 2.0))
    yield Sample((make(3, 4), make(4, dtype="bool"), -1))
    yield Sample((make(3, 4), make(3, 1, dtype="bool"), make()))


@composite(method=True, inplace=masked_fill_, samples=_masks)
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Returns ``input`` with ``value`` where the mask holds; the dtype stays.

    >>> torch.masked_fill(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), 0)
    tensor([0., 2.])
    """
    return _fill(False, input, mask, value)
