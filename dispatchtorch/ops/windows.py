"""Windows for short-time transforms: Bartlett, Blackman, Hamming, Hann, Kaiser; periodic ones leave out the last point.

`torch.signal.windows` has its own family, with other arguments, in `dispatchtorch.signal.windows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import COMPLEX, FLOATING, DType, get_default_dtype
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]

Where = Device | str | None

# What torch's sentence calls a dtype: the word of the language that it is written in.
_C_NAMES: Final = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int",
}  # fmt: skip


def _samples(make: Maker) -> Iterator[Sample]:
    yield Sample((5,))
    yield Sample((5, False))
    yield Sample((1,))
    yield Sample((0,))


def _window(
    name: str, length: int, periodic: bool, dtype: DType | None, device: Where, grad: bool, shape: Callable[..., Tensor]
) -> Tensor:
    """Returns ``shape(places, last)`` for the places 0, 1, ... of the window, ``last`` being the last of the whole."""
    kind = dtype or get_default_dtype()
    if not isinstance(length, int):
        raise TypeError(f"{name}(): argument 'window_length' (position 1) must be int, not {type(length).__name__}")
    if kind.category < FLOATING:
        raise RuntimeError(
            f"{name} expects floating point dtypes, got: TensorOptions(dtype={_C_NAMES.get(kind.name, kind.name)}, "
            "device=cpu, layout=Strided (default), requires_grad=false (default), pinned_memory=false, "
            "memory_format=(nullopt))"
        )
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    if kind.category == COMPLEX:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{kind.legacy}'")
    if length < 2:
        out = FUNCTIONS["ones"](length, dtype=kind, device=device)
    else:
        wide = kind if kind.itemsize > 2 else get_default_dtype()  # half precision is rounded once, at the end
        places = FUNCTIONS["arange"](length, dtype=wide, device=device)
        out = METHODS["to"](shape(places, length if periodic else length - 1), kind)
    return METHODS["requires_grad_"](out) if grad else out  # type: ignore[no-any-return]  # entries of the table


@composite(samples=_samples)
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a triangle that rises from 0 to 1 and falls again.

    >>> torch.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """

    def shape(places: Any, last: int) -> Tensor:
        rising = places * (2.0 / last)
        return FUNCTIONS["where"](places > last // 2, 2 - rising, rising)  # type: ignore[no-any-return]  # an entry

    return _window("bartlett_window", window_length, periodic, dtype, device, requires_grad, shape)


@composite(samples=_samples)
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a window of a constant and two cosines, 0.42, 0.5 and 0.08.

    >>> torch.blackman_window(4)
    tensor([-2.9802e-08,  3.4000e-01,  1.0000e+00,  3.4000e-01])
    """

    def shape(places: Any, last: int) -> Tensor:
        turn = places * (math.pi / last)
        return (turn * 4).cos() * 0.08 - (turn * 2).cos() * 0.5 + 0.42  # type: ignore[no-any-return]  # entries

    return _window("blackman_window", window_length, periodic, dtype, device, requires_grad, shape)


def _raised_cosine(alpha: float, beta: float) -> Callable[..., Tensor]:
    def shape(places: Any, last: int) -> Tensor:
        return (places * (math.pi * 2 / last)).cos() * -beta + alpha  # type: ignore[no-any-return]  # entries

    return shape


@composite(samples=_samples)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a cosine between ``alpha - beta`` and ``alpha + beta``.

    >>> torch.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    shape = _raised_cosine(alpha, beta)
    return _window("hamming_window", window_length, periodic, dtype, device, requires_grad, shape)


@composite(samples=_samples)
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a cosine between 0 and 1.

    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    shape = _raised_cosine(0.5, 0.5)
    return _window("hann_window", window_length, periodic, dtype, device, requires_grad, shape)


@composite(samples=_samples)
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns the window of a Bessel function; the larger ``beta``, the narrower.

    >>> torch.kaiser_window(4, beta=3.0)
    tensor([0.2049, 0.7269, 1.0000, 0.7269])
    """

    def shape(places: Any, last: int) -> Tensor:
        off = places * (2.0 / last) - 1
        bessel = FUNCTIONS["i0"]
        peak = bessel(places.new_full((), beta))
        return bessel((1 - off * off).clamp(min=0).sqrt() * beta) / peak  # type: ignore[no-any-return]  # entries

    return _window("kaiser_window", window_length, periodic, dtype, device, requires_grad, shape)
