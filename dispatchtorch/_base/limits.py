"""What the dtypes hold: the limits of floating and of integer types, from their numbers of bits."""

from __future__ import annotations

from dispatchtorch._base.dtypes import FLOATING, INTEGRAL, DType, get_default_dtype

__all__ = ["finfo", "iinfo"]

_BITS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}  # of exponent and fraction
_RESOLUTION = {"float16": 1e-3, "bfloat16": 1e-2, "float32": 1e-6, "float64": 1e-15}

_FLOAT8 = {  # largest, eps, smallest normal
    "float8_e4m3fn": (448.0, 2.0**-3, 2.0**-6),
    "float8_e4m3fnuz": (240.0, 2.0**-3, 2.0**-7),
    "float8_e5m2": (57344.0, 2.0**-2, 2.0**-14),
    "float8_e5m2fnuz": (57344.0, 2.0**-3, 2.0**-15),
    "float8_e8m0fnu": (2.0**127, 1.0, 2.0**-127),
}


class finfo:
    """The limits of a floating dtype; those of its parts for a complex one: torch's ``torch.finfo``.

    TypeError for an integer type.

    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, dtype: DType | None = None) -> None:
        kind = dtype or get_default_dtype()
        if not isinstance(kind, DType) or kind.category < FLOATING:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        real = kind.to_real()
        self.dtype = real.name
        self.bits = 8 * real.itemsize
        if real.name in _FLOAT8:
            self.max, self.eps, self.tiny = _FLOAT8[real.name]
            self.min = -self.max if real.is_signed else self.tiny
            self.smallest_normal, self.resolution = self.tiny, 1.0
            return
        exponent, fraction = _BITS[real.name]
        bias = 2 ** (exponent - 1) - 1
        self.eps = 2.0**-fraction
        self.max = (2.0 - self.eps) * 2.0**bias
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - bias)
        self.resolution = _RESOLUTION[real.name]

    def __repr__(self) -> str:
        facts = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in facts)}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(("finfo", self.dtype))


class iinfo:
    """The limits of an integer dtype: torch's ``torch.iinfo``; TypeError for any other.

    >>> torch.iinfo(torch.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    def __init__(self, dtype: DType) -> None:
        if not isinstance(dtype, DType) or dtype.category > INTEGRAL:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        if dtype.category < INTEGRAL:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        self.dtype = dtype.name
        self.bits = 8 * dtype.itemsize
        self.max = 2 ** (self.bits - dtype.is_signed) - 1
        self.min = -self.max - 1 if dtype.is_signed else 0

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(("iinfo", self.dtype))
