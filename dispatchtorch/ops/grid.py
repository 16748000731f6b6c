"""Sampling at places that a grid names, in two and three dimensions, and grids from affine maps: compositions.

Places run from -1 to 1 over the input. Derivatives are those of what the functions are made of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["affine_grid_generator", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d"]

_LINEAR, _NEAREST, _CUBIC = range(3)
_ZEROS, _BORDER, _REFLECTION = range(3)


# --- from a grid to places --------------------------------------------------------------------------------------------


def _unscaled(x: Tensor, size: int, align: bool) -> Tensor:
    """Returns the place, in steps of the input, of a coordinate in [-1, 1]."""
    return (x + 1) * ((size - 1) / 2) if align else ((x + 1) * size - 1) / 2


def _clipped(x: Tensor, size: int) -> Tensor:
    return x.clamp(0, size - 1)


def _reflected(x: Tensor, size: int, align: bool) -> Tensor:
    """Returns the place folded back at the borders, as often as it needs."""
    low, high = (0, 2 * (size - 1)) if align else (-1, 2 * size - 1)
    if low == high:
        return x * 0
    begin, span = low / 2, (high - low) / 2
    away = (x - begin).abs()
    extra = away.fmod(span)
    flips = (away.detach() / span).floor()
    return FUNCTIONS["where"](flips % 2 == 0, extra + begin, span - extra + begin)  # type: ignore[no-any-return]  # the table


def _placed(x: Tensor, size: int, padding: int, align: bool) -> Tensor:
    if padding == _BORDER:
        return _clipped(x, size)
    if padding == _REFLECTION:
        return _clipped(_reflected(x, size, align), size)
    return x


def _finite(x: Tensor) -> Tensor:
    """Returns whole places as integers; what is not a number, or far outside, lies outside."""
    return x.detach().nan_to_num(-100.0).clamp(-1e6, 1e6).long()


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(input: Tensor, places: Sequence[Tensor]) -> Tensor:
    """Returns the values (N, C, ...) at whole places, zero outside."""
    sizes = [int(n) for n in input._a.shape[2:]]
    inside: Any = None
    flat: Any = None
    for place, size in zip(places, sizes, strict=True):
        here = (place >= 0) & (place < size)
        inside = here if inside is None else inside & here
        held = place.clamp(0, max(size - 1, 0))
        flat = held if flat is None else flat * size + held
    n, c = (int(d) for d in input._a.shape[:2])
    out_shape = flat._a.shape[1:]
    index = flat.reshape(n, 1, -1).expand(n, c, -1)
    values = input.reshape(n, c, -1).gather(2, index).reshape(n, c, *out_shape)
    return values.masked_fill(~inside.unsqueeze(1), 0.0)


def _linear(input: Tensor, places: Sequence[Tensor]) -> Tensor:
    lows = [p.detach().floor() for p in places]
    total: Any = None
    for corner in itertools.product((0, 1), repeat=len(places)):
        weight: Any = None
        for p, low, far in zip(places, lows, corner, strict=True):
            share = p - low if far else (low + 1) - p
            weight = share if weight is None else weight * share
        term = _read(input, [_finite(low) + far for low, far in zip(lows, corner, strict=True)]) * weight.unsqueeze(1)
        total = term if total is None else total + term
    return total  # type: ignore[no-any-return]  # there is a corner


def _nearest(input: Tensor, places: Sequence[Tensor]) -> Tensor:
    out = _read(input, [_finite(p.detach().round()) for p in places])
    if any(p._key.requires for p in places):  # the grid has a derivative, which is zero
        out = out + sum(FUNCTIONS["fill"](p, 0.0) for p in places).unsqueeze(1)
    return out


def _cubic_shares(t: Tensor) -> list[Tensor]:
    a = -0.75
    far, near = t + 1, 1 - t
    last = 2 - t
    return [
        ((a * far - 5 * a) * far + 8 * a) * far - 4 * a,
        ((a + 2) * t - (a + 3)) * t * t + 1,
        ((a + 2) * near - (a + 3)) * near * near + 1,
        ((a * last - 5 * a) * last + 8 * a) * last - 4 * a,
    ]


def _cubic(input: Tensor, places: Sequence[Tensor], padding: int, align: bool) -> Tensor:
    sizes = [int(n) for n in input._a.shape[2:]]
    lows = [p.detach().floor() for p in places]
    shares = [_cubic_shares(p - low) for p, low in zip(places, lows, strict=True)]

    def held(low: Tensor, step: int, size: int) -> Tensor:
        return _finite(_placed(low + step, size, padding, align))

    rows: Any = None
    for i in range(4):
        row: Any = None
        for j in range(4):
            value = _read(input, [held(lows[0], i - 1, sizes[0]), held(lows[1], j - 1, sizes[1])])
            term = value * shares[1][j].unsqueeze(1)
            row = term if row is None else row + term
        row = row * shares[0][i].unsqueeze(1)
        rows = row if rows is None else rows + row
    return rows  # type: ignore[no-any-return]  # there are four


def _check(input: Tensor, grid: Tensor, mode: int, n: int) -> None:
    shape, want = list(input._a.shape), list(grid._a.shape)
    if input._key.device != grid._key.device:
        raise RuntimeError(
            f"grid_sampler(): expected input and grid to be on same device, but input is on {input._key.device} and "
            f"grid is on {grid._key.device}"
        )
    if not shape or not want or shape[0] != want[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{shape} and grid with sizes {want}"
        )
    if want[-1] != len(shape) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(shape) - 2} in last dimension, but got grid with sizes "
            f"{want}"
        )
    for i, size in enumerate(shape[2:], 2):
        if size <= 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{shape} with dimension {i} being empty"
            )
    if len(shape) not in (4, 5) or len(shape) != len(want):
        what = {4: "4D", 5: "5D"}.get(n + 2 if n else 0, "4D or 5D")
        raise RuntimeError(
            f"grid_sampler(): expected {what} input and grid with same number of dimensions, but got input with sizes "
            f"{shape} and grid with sizes {want}"
        )
    if len(shape) == 5 and mode == _CUBIC:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input._key.dtype is not grid._key.dtype:
        raise RuntimeError(f"expected scalar type {input._key.dtype.legacy} but found {grid._key.dtype.legacy}")
    if input._key.dtype.category != 2:
        name = "grid_sampler_2d_cpu_kernel_impl" if len(shape) == 4 else "grid_sampler3d_cpu"
        raise NotImplementedError(f"\"{name}\" not implemented for '{input._key.dtype.legacy}'")


def _samples(n: int) -> Any:
    def sampler(make: Maker) -> Iterator[Sample]:
        side, out = (4, 3, 3)[:n], (3, 2, 2)[:n]
        for mode in (0, 1, 2)[: 5 - n]:
            for padding, align in ((0, False), (1, True), (2, False)):
                yield Sample((make(2, 2, *side), make(2, *out, n, low=-1.3, high=1.3), mode, padding, align))

    return sampler


@composite(samples=_samples(2))
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Returns (N, C, ...) read at the places that the grid (N, ..., 2 or 3) names; x comes first there.

    Modes: 0 linear, 1 nearest, 2 cubic. Padding: 0 zeros, 1 the border, 2 reflection.
    """
    _check(input, grid, interpolation_mode, 0)
    sizes = [int(n) for n in input._a.shape[2:]]
    places = [_unscaled(grid.select(-1, len(sizes) - 1 - i), n, align_corners) for i, n in enumerate(sizes)]
    if interpolation_mode == _CUBIC:
        return _cubic(input, places, padding_mode, align_corners)
    places = [_placed(p, n, padding_mode, align_corners) for p, n in zip(places, sizes, strict=True)]
    if interpolation_mode == _LINEAR:
        return _linear(input, places)
    if interpolation_mode != _NEAREST:
        raise RuntimeError(f"grid_sampler(): unknown interpolation mode {interpolation_mode}")
    return _nearest(input, places)


@composite(samples=_samples(2))
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Returns `grid_sampler` of pictures (N, C, H, W)."""
    _check(input, grid, interpolation_mode, 2)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composite(samples=_samples(3))
def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Returns `grid_sampler` of volumes (N, C, D, H, W)."""
    _check(input, grid, interpolation_mode, 3)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def _steps(theta: Tensor, n: int, align: bool) -> Tensor:
    """Returns ``n`` places from -1 to 1, the outermost on the corners or half a step inside."""
    if n <= 1:
        return theta.new_zeros((max(n, 0),))
    places: Tensor = FUNCTIONS["linspace"](-1, 1, n, dtype=theta.dtype, device=theta.device)
    return places if align else (places * (n - 1) / n).to(theta.dtype)


def _affine_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 2, 3), (2, 1, 3, 4), False))
    yield Sample((make(1, 3, 4), (1, 2, 2, 3, 2), True))


@composite(samples=_affine_samples)
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Returns the grid (N, ..., 2 or 3) of an output of ``size``, each place mapped by its batch's affine ``theta``."""
    sides = [int(s) for s in size[2:]]
    if len(sides) not in (2, 3):
        raise RuntimeError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.")
    n = len(sides)
    columns = []
    for i in reversed(range(n)):
        steps = _steps(theta, sides[i], align_corners)
        columns.append(steps.reshape([-1 if d == i else 1 for d in range(n)]).expand(sides))
    columns.append(theta.new_ones(sides))
    base: Tensor = FUNCTIONS["stack"](columns, -1)
    flat = base.reshape(1, -1, n + 1).expand(int(size[0]), -1, -1)
    return flat.bmm(theta.transpose(1, 2)).reshape(int(size[0]), *sides, n)
