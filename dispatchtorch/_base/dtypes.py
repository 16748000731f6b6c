"""Element types and torch's promotion rules, as plain data.

A dtype is a name with facts attached; how an array library spells it is a backend's affair and not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = [
    "ALL",
    "DType",
    "by_name",
    "get_default_dtype",
    "promote",
    "result_category",
    "set_default_dtype",
    "when_default_changes",
]

BOOL, INTEGRAL, FLOATING, COMPLEX = 0, 1, 2, 3


class DType:
    """One element type: torch's ``torch.dtype``.

    Attributes: ``name`` ("float32"), ``itemsize`` in bytes, ``is_floating_point``, ``is_complex``, ``is_signed``, and
    ``category`` (0 bool, 1 integral, 2 floating, 3 complex), which decides promotion.
    """

    __slots__ = ("category", "is_complex", "is_floating_point", "is_signed", "itemsize", "legacy", "name")

    def __init__(self, name: str, itemsize: int, category: int, legacy: str, signed: bool = True) -> None:
        self.name: Final = name
        self.itemsize: Final = itemsize
        self.category: Final = category
        self.legacy: Final = legacy
        self.is_floating_point: Final = category == FLOATING
        self.is_complex: Final = category == COMPLEX
        self.is_signed: Final = signed

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return by_name, (self.name,)

    @property
    def kind(self) -> str:
        """Returns the array libraries' letter for the category: "b", "i" or "u", "f", "c"."""
        return "u" if self.category == INTEGRAL and not self.is_signed else "bifc"[self.category]

    def to_complex(self) -> DType:
        """Returns the complex type whose parts hold this type's values: float64 to complex128, others to complex64."""
        if self.is_complex:
            return self
        return {"float64": complex128, "float16": complex32}.get(self.name, complex64)

    def to_real(self) -> DType:
        """Returns the type of the real and imaginary part; a real type is its own."""
        return {"complex128": float64, "complex64": float32, "complex32": float16}.get(self.name, self)


# `legacy` is the scalar type's name in torch's messages ("Float", "Long") and in typed storages.
bool_: Final = DType("bool", 1, BOOL, "Bool", signed=False)
uint8: Final = DType("uint8", 1, INTEGRAL, "Byte", signed=False)
int8: Final = DType("int8", 1, INTEGRAL, "Char")
int16: Final = DType("int16", 2, INTEGRAL, "Short")
int32: Final = DType("int32", 4, INTEGRAL, "Int")
int64: Final = DType("int64", 8, INTEGRAL, "Long")
uint16: Final = DType("uint16", 2, INTEGRAL, "UInt16", signed=False)
uint32: Final = DType("uint32", 4, INTEGRAL, "UInt32", signed=False)
uint64: Final = DType("uint64", 8, INTEGRAL, "UInt64", signed=False)
float16: Final = DType("float16", 2, FLOATING, "Half")
bfloat16: Final = DType("bfloat16", 2, FLOATING, "BFloat16")
float32: Final = DType("float32", 4, FLOATING, "Float")
float64: Final = DType("float64", 8, FLOATING, "Double")
complex32: Final = DType("complex32", 4, COMPLEX, "ComplexHalf")
complex64: Final = DType("complex64", 8, COMPLEX, "ComplexFloat")
complex128: Final = DType("complex128", 16, COMPLEX, "ComplexDouble")
# Words only: no backend has elements of these.
float8_e4m3fn: Final = DType("float8_e4m3fn", 1, FLOATING, "Float8_e4m3fn")
float8_e4m3fnuz: Final = DType("float8_e4m3fnuz", 1, FLOATING, "Float8_e4m3fnuz")
float8_e5m2: Final = DType("float8_e5m2", 1, FLOATING, "Float8_e5m2")
float8_e5m2fnuz: Final = DType("float8_e5m2fnuz", 1, FLOATING, "Float8_e5m2fnuz")
float8_e8m0fnu: Final = DType("float8_e8m0fnu", 1, FLOATING, "Float8_e8m0fnu", signed=False)
FLOAT8: Final = (float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu)

ALL: Final = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex32, complex64, complex128,
)  # fmt: skip
_BY_NAME: Final = {d.name: d for d in (*ALL, *FLOAT8)}


def by_name(name: str) -> DType:
    """Returns the dtype called ``name`` ("float32"); KeyError for an unknown one."""
    return _BY_NAME[name]


_RANK: Final = {"int8": 1, "int16": 2, "int32": 3, "int64": 4, "float16": 1, "bfloat16": 1, "float32": 2, "float64": 3}
_COMPLEX_OF: Final = {"float16": complex32, "bfloat16": complex64, "float32": complex64, "float64": complex128}
_COMPLEX_RANK: Final = {"complex32": 1, "complex64": 2, "complex128": 3}
_WIDE_UNSIGNED: Final = frozenset({"uint16", "uint32", "uint64"})
_promoted: dict[tuple[DType, DType], DType] = {}


def promote(a: DType, b: DType) -> DType:
    """Returns the smallest dtype that torch lets hold both; symmetric.

    Raises RuntimeError for the pairs torch refuses (uint16, uint32, uint64 with a signed integer).
    """
    if a is b:
        return a
    found = _promoted.get((a, b))
    if found is None:
        found = _promoted[a, b] = _promote(a, b)
    return found


def _promote(a: DType, b: DType) -> DType:
    if a in FLOAT8 or b in FLOAT8:
        raise RuntimeError(
            f"Promotion for Float8 Types is not supported, attempted to promote {a.legacy} and {b.legacy}"
        )
    if (a.name in _WIDE_UNSIGNED or b.name in _WIDE_UNSIGNED) and FLOATING not in (a.category, b.category):
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.legacy} and {b.legacy}"
        )
    if a.category > b.category:
        a, b = b, a
    if a.category == BOOL:
        return b
    if b.category == COMPLEX:
        if a.category == INTEGRAL:
            return b
        other = _COMPLEX_OF[a.name] if a.category == FLOATING else a
        return other if _COMPLEX_RANK[other.name] > _COMPLEX_RANK[b.name] else b
    if b.category == FLOATING:
        if a.category == INTEGRAL:
            return b
        if _RANK[a.name] == _RANK[b.name]:
            return float32  # float16 with bfloat16: neither holds the other
        return a if _RANK[a.name] > _RANK[b.name] else b
    return _promote_integers(a, b)


def _promote_integers(a: DType, b: DType) -> DType:
    if a.is_signed and b.is_signed:
        return a if a.itemsize > b.itemsize else b
    other = a if a.is_signed else b
    return int16 if other is int8 else other


_default: DType = float32


def get_default_dtype() -> DType:
    """Returns the floating dtype that new tensors get from Python floats (float32 unless set)."""
    return _default


def set_default_dtype(dtype: DType) -> None:
    """Sets the default floating dtype; TypeError unless it is a floating type."""
    global _default
    if dtype is _default:
        return
    if not isinstance(dtype, DType):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _default = dtype
    for callback in _listeners:
        callback()


_listeners: Final[list[Callable[[], None]]] = []


def when_default_changes(callback: Callable[[], None]) -> None:
    """Calls ``callback`` whenever another default dtype is set: what was worked out with the old one is void."""
    _listeners.append(callback)


def of_number(kind: type) -> DType:
    """Returns the dtype a Python number of type ``kind`` brings: bool, int64, the default float, its complex."""
    if kind is bool:
        return bool_
    if issubclass(kind, int):
        return int64
    if issubclass(kind, float):
        return _default
    return _default.to_complex()


def result_category(dtype: DType, number: type) -> DType:
    """Returns the result type of a tensor of ``dtype`` with a Python number: the number only lifts the category."""
    weak = of_number(number)
    if weak.category <= dtype.category:
        return dtype
    if weak.category == COMPLEX and dtype.category == FLOATING:
        return dtype.to_complex()
    return weak
