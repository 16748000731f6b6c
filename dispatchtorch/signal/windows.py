"""torch.signal.windows: eleven windows of ``M`` points, symmetric or, with ``sym=False``, for periodic use.

Functions over the op table's public functions; they know nothing of backends. The older family is in `ops.windows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from dispatchtorch import ops as _families  # noqa: F401 - importing them declares every op
from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, float32, float64, get_default_dtype
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.ops.members import strided
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip

Where = Device | str | None


def _check(name: str, M: int, dtype: DType, layout: Any) -> None:
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (float32, float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")


def _line(start: float, end: float, M: int, options: dict[str, Any]) -> Any:
    return FUNCTIONS["linspace"](start, end, M, **options)


def _empty(options: dict[str, Any]) -> Tensor:
    return FUNCTIONS["empty"]((0,), **options)  # type: ignore[no-any-return]  # an entry of the table


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a window that decays from ``center`` to both sides, by e every ``tau`` points.

    >>> torch.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    kind = dtype or get_default_dtype()
    _check("exponential", M, kind, layout)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    if center is None:
        center = (M if not sym and M > 1 else M - 1) / 2.0
    step = 1 / tau
    return FUNCTIONS["exp"](-abs(_line(-center * step, (-center + (M - 1)) * step, M, options)))  # type: ignore[no-any-return]  # an entry


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns half a period of a sine.

    >>> torch.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """
    kind = dtype or get_default_dtype()
    _check("cosine", M, kind, layout)
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    step = math.pi / (M + 1 if not sym and M > 1 else M)
    return FUNCTIONS["sin"](_line(0.5 * step, (0.5 + (M - 1)) * step, M, options))  # type: ignore[no-any-return]  # an entry


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a bell curve of ``std`` points' standard deviation.

    >>> torch.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    kind = dtype or get_default_dtype()
    _check("gaussian", M, kind, layout)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    start = -(M if not sym and M > 1 else M - 1) / 2.0
    step = 1 / (std * math.sqrt(2))
    return FUNCTIONS["exp"](-(_line(start * step, (start + (M - 1)) * step, M, options) ** 2))  # type: ignore[no-any-return]  # an entry


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns the window of a Bessel function; the larger ``beta``, the narrower.

    >>> torch.signal.windows.kaiser(3, beta=2.0)
    tensor([0.4387, 1.0000, 0.4387])
    """
    kind = dtype or get_default_dtype()
    _check("kaiser", M, kind, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    if M == 1:
        return FUNCTIONS["ones"]((1,), **options)  # type: ignore[no-any-return]  # an entry of the table
    step = 2.0 * beta / (M if not sym else M - 1)
    places = _line(-beta, min(beta, -beta + (M - 1) * step), M, options)
    bessel = FUNCTIONS["i0"]
    peak = bessel(FUNCTIONS["tensor"](float(beta), dtype=kind, device=device))
    return bessel((beta * beta - places**2).sqrt()) / peak  # type: ignore[no-any-return]  # entries of the table


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a triangle that rises from 0 to 1 and falls again.

    >>> torch.signal.windows.bartlett(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    kind = dtype or get_default_dtype()
    _check("bartlett", M, kind, layout)
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    if M == 1:
        return FUNCTIONS["ones"]((1,), **options)  # type: ignore[no-any-return]  # an entry of the table
    step = 2 / (M if not sym else M - 1)
    return 1 - abs(_line(-1, -1 + (M - 1) * step, M, options))  # type: ignore[no-any-return]  # arithmetic


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns the sum of cosines with coefficients ``a`` of alternating sign.

    >>> torch.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    kind = dtype or get_default_dtype()
    _check("general_cosine", M, kind, layout)
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return _empty(options)
    if M == 1:
        return FUNCTIONS["ones"]((1,), **options)  # type: ignore[no-any-return]  # an entry of the table
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    signed = [(-1) ** i * w for i, w in enumerate(a)]
    if not signed:
        raise ValueError("Coefficients cannot be empty")
    step = 2 * math.pi / (M if not sym else M - 1)
    places = _line(0, (M - 1) * step, M, options)
    weights = FUNCTIONS["tensor"](signed, dtype=kind, device=device, requires_grad=requires_grad)
    orders = FUNCTIONS["arange"](len(signed), dtype=kind, device=device)
    return (weights.unsqueeze(-1) * (orders.unsqueeze(-1) * places).cos()).sum(0)  # type: ignore[no-any-return]  # entries


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a cosine around ``alpha`` that peaks at 1.

    >>> torch.signal.windows.general_hamming(3, alpha=0.75)
    tensor([0.5000, 1.0000, 0.5000])
    """
    a = [alpha, 1.0 - alpha]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a cosine between 0.08 and 1.

    >>> torch.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a cosine between 0 and 1.

    >>> torch.signal.windows.hann(3)
    tensor([0., 1., 0.])
    """
    return general_hamming(
        M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad
    )


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a window of a constant and two cosines, 0.42, 0.5 and 0.08.

    >>> torch.signal.windows.blackman(5, sym=False)[1:3]
    tensor([0.2008, 0.8492])
    """
    _check("blackman", M, dtype or get_default_dtype(), layout)
    a = [0.42, 0.5, 0.08]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = strided,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns Nuttall's window of a constant and three cosines, with very low side lobes.

    >>> torch.signal.windows.nuttall(5, sym=False)[1:3]
    tensor([0.1105, 0.7983])
    """
    a = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
