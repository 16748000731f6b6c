"""The kernels of layer, group and batch norm over oneDNN, for dense float32.

Rows and matrices are oneDNN's own norms. It has none for groups, and for images it has one that is slower than numpy;
there sums are taken by numpy, and the passes that make the result are oneDNN's ``x * a + b``. What it has not, or does
slowly, goes to the kernel that was there before.
"""

from __future__ import annotations

import ctypes
from math import prod
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_onednn import library
from dispatchtorch_onednn.library import Plain, adding, description, kept, plain

__all__ = ["AROUND", "around"]

Ints = tuple[int, ...]
_FLOAT32: Final = np.dtype(np.float32)
_TRAINING, _BACKWARD, _BACKWARD_DATA = 64, 128, 160
_MULTIPLY, _USE_SCALE, _USE_SHIFT = 0x1FFF1, 2, 4
_SRC, _SRC_1, _DST, _MEAN, _VARIANCE, _SCALE, _SHIFT = 1, 2, 17, 49, 50, 51, 52
_DIFF_SRC, _DIFF_DST, _DIFF_SCALE, _DIFF_SHIFT, _AFTER = 129, 145, 255, 256, 32768 | 2
_MOST: Final = 4096  # rows whose sums oneDNN takes one after the other in float32
_NARROW: Final = 32  # places of a channel below which a pass over rows is slow


def _fits(*arrays: Any) -> bool:
    return all(a is None or (a.dtype == _FLOAT32 and a.size > 0) for a in arrays)


_dense: Final[Any] = np.ascontiguousarray


# --- the primitives ---------------------------------------------------------------------------------------------------


def _forward(kind: str, matrix: Any, statistics: tuple[Any, ...], eps: float, flags: int) -> Any:
    number = ctypes.c_float(eps)
    return description(f"{kind}_forward", _TRAINING, matrix, matrix, *statistics, number, flags, None)


def _norm(kind: str, rows: int, width: int, eps: float, scaled: bool, shifted: bool) -> Plain:
    """Returns ``layer_normalization`` or ``batch_normalization`` of a matrix.

    It takes input, output, means, variances, then weight and bias, where it has them.
    """
    matrix, vector = plain((rows, width)), plain((width,))
    layer = kind == "layer_normalization"
    means = plain((rows,)) if layer else vector
    flags = _USE_SCALE * scaled + _USE_SHIFT * shifted
    chosen = _forward(kind, matrix, (means,) if layer else (), eps, flags)
    given = [(_SRC, matrix), (_DST, matrix), (_MEAN, means), (_VARIANCE, means)]
    return Plain(chosen, given + [(_SCALE, vector)] * scaled + [(_SHIFT, vector)] * shifted)


def _norm_back(kind: str, rows: int, width: int, eps: float, scaled: bool) -> Plain:
    """Returns the way back: input, cotangent, means, variances, the input's gradient.

    With a weight this is followed by it and by the gradients of weight and bias.
    """
    matrix, vector = plain((rows, width)), plain((width,))
    layer = kind == "layer_normalization"
    means = plain((rows,)) if layer else vector
    flags = (_USE_SCALE + _USE_SHIFT) * scaled
    ahead = _forward(kind, matrix, (means,) if layer else (), eps, flags)
    wanted = _BACKWARD if scaled else _BACKWARD_DATA
    facts = (matrix, matrix, matrix, *((means,) if layer else ()), ctypes.c_float(eps), flags, ahead, None)
    chosen = description(f"{kind}_backward", wanted, *facts)
    given = [(_SRC, matrix), (_DIFF_DST, matrix), (_MEAN, means), (_VARIANCE, means), (_DIFF_SRC, matrix)]
    if scaled:
        given += [(_SCALE, vector), (_DIFF_SCALE, vector), (_DIFF_SHIFT, vector)]
        if layer:
            given.append((_SHIFT, vector))  # is asked for and not read
    return Plain(chosen, given)


def _scaled(rows: int, width: int, whole: bool) -> Plain:
    """Returns ``x * a + b`` with a number a row: x, a, result, b; where ``whole``, b is as large as x."""
    matrix, column = plain((1, rows, width)), plain((1, rows, 1))
    last = matrix if whole else column
    chosen = description("binary", _MULTIPLY, matrix, column, matrix, adding(last))
    return Plain(chosen, [(_SRC, matrix), (_SRC_1, column), (_DST, matrix), (_AFTER, last)])


def _inverse_root(var: Any, eps: float) -> Any:
    """Returns the inverse deviations, in the place of the variances."""
    var += eps
    np.sqrt(var, var)
    return np.reciprocal(var, var)


# --- layer norm -------------------------------------------------------------------------------------------------------


def _layer_norm(before: Kernel, input: Any, ndim: int, eps: float, weight: Any, bias: Any) -> Any:
    found = None
    if _fits(input, weight, bias):
        lead = input.shape[: input.ndim - ndim]
        rows = prod(lead)
        affine = (weight is not None, bias is not None)
        found = kept(_norm, "layer_normalization", rows, input.size // rows, eps, *affine)
    if found is None:
        return before(input, ndim, eps, weight, bias)
    shape = lead + (1,) * ndim
    out, mean, var = np.empty(input.shape, _FLOAT32), np.empty(shape, _FLOAT32), np.empty(shape, _FLOAT32)
    found.run(_dense(input), out, mean, var, *[_dense(a) for a in (weight, bias) if a is not None])
    return out, mean, _inverse_root(var, eps)


def _layer_norm_backward(
    before: Kernel, g: Any, input: Any, mean: Any, rstd: Any, ndim: int, eps: float, weight: Any
) -> Any:
    found = None
    if _fits(g, input, weight):  # what the inverse deviations are taken from has eps in it
        found = kept(_norm_back, "layer_normalization", mean.size, input.size // mean.size, 0.0, weight is not None)
    if found is None:
        return before(g, input, mean, rstd, ndim, eps, weight)
    out, var = np.empty(input.shape, _FLOAT32), np.square(rstd)
    np.reciprocal(var, var)
    given = (_dense(input), _dense(g), _dense(mean), var, out)
    if weight is None:
        found.run(*given)
        return (out,)
    weight = _dense(weight)
    by_weight, by_bias = np.empty(weight.shape, _FLOAT32), np.empty(weight.shape, _FLOAT32)
    found.run(*given, weight, by_weight, by_bias, weight)
    return out, by_weight, by_bias


# --- channels of images, and groups of them ---------------------------------------------------------------------------


def _steady(mean: Any, var: Any) -> bool:
    """Returns whether no mean is so large beside its deviation that differences would lose digits."""
    return bool((2 * mean * mean <= var).all())


def _sums(x: Any, y: Any, shape: Ints) -> tuple[Any, Any]:
    """Returns the sums of rows of ``x``, and of ``x * y``, in float64."""
    sums = x.dot(np.ones(x.shape[1], _FLOAT32)).reshape(shape)
    return sums.astype(np.float64), np.vecdot(x, y).reshape(shape).astype(np.float64)


def _column(values: Any, shape: Ints) -> Any:
    out = np.empty(shape, _FLOAT32)
    out[...] = values
    return out


def _channels(input: Any, shape: Ints, axis: int, eps: float, weight: Any, bias: Any) -> Any:
    """Returns the normalised input, means, variances and inverse deviations of (images, groups, channels of one).

    Statistics go over a channel's places and over ``axis``. None where there is no primitive, or means are large.
    """
    rows, wide = prod(shape), (1, *shape[1:])
    x = _dense(input).reshape(rows, -1)
    found = kept(_scaled, *x.shape, False)
    mean, var = (a.sum(axis, keepdims=True) for a in _sums(x, x, shape))
    count = x.shape[1] * shape[axis]
    mean /= count
    var /= count
    var -= mean * mean
    if found is None or not _steady(mean, var):
        return None
    rstd = 1 / np.sqrt(var + eps)
    scale = rstd if weight is None else rstd * weight.reshape(wide)
    shift = -mean * scale if bias is None else bias.reshape(wide) - mean * scale
    out = np.empty(input.shape, _FLOAT32)
    found.run(x, _column(scale, shape), out, _column(shift, shape))
    return out, mean, var, rstd


def _channels_back(g: Any, input: Any, mean: Any, rstd: Any, shape: Ints, axis: int, weight: Any) -> Any:
    """Returns the gradients of input and, where there is a weight, of weight and bias; None as above."""
    rows = prod(shape)
    x, gs = _dense(input).reshape(rows, -1), _dense(g).reshape(rows, -1)
    first, second = kept(_scaled, *x.shape, False), kept(_scaled, *x.shape, True)
    if first is None or second is None or not _steady(mean * rstd, 1.0):
        return None
    totals, normals = _sums(gs, x, shape)
    normals -= mean * totals
    normals *= rstd
    factor = 1.0 if weight is None else weight.reshape(1, *shape[1:])
    count = -x.shape[1] * shape[axis]
    pull = (normals * factor).sum(axis, keepdims=True) * rstd * rstd / count
    rest = (totals * factor).sum(axis, keepdims=True) * rstd / count - pull * mean
    out = np.empty(input.shape, _FLOAT32)
    first.run(x, _column(pull, shape), out, _column(rest, shape))
    second.run(gs, _column(rstd * factor, shape), out, out)
    if weight is None:
        return (out,)
    return out, *[a.sum(0).reshape(-1).astype(_FLOAT32) for a in (normals, totals)]


def _is_wide(input: Any) -> bool:
    return bool(input.ndim > 2 and prod(input.shape[2:]) >= _NARROW)


def _group_norm(before: Kernel, input: Any, groups: int, eps: float, weight: Any, bias: Any) -> Any:
    count, channels = input.shape[:2]
    shape = (count, groups, channels // groups)
    norm = scaled = None
    if _fits(input, weight, bias) and _is_wide(input):
        norm = kept(_norm, "layer_normalization", count * groups, input.size // (count * groups), eps, False, False)
        scaled = kept(_scaled, count * channels, input.size // (count * channels), False)
    if norm is None or scaled is None:
        return before(input, groups, eps, weight, bias)
    kept_shape = (count, groups, 1)
    out, mean, var = np.empty(input.shape, _FLOAT32), np.empty(kept_shape, _FLOAT32), np.empty(kept_shape, _FLOAT32)
    norm.run(_dense(input), out, mean, var)
    if weight is not None or bias is not None:
        scale, shift = (
            _column(other if vector is None else vector.reshape(1, *shape[1:]), shape)
            for vector, other in ((weight, 1), (bias, 0))
        )
        scaled.run(out, scale, out, shift)
    return out, mean, _inverse_root(var, eps)


def _group_norm_backward(
    before: Kernel, g: Any, input: Any, mean: Any, rstd: Any, groups: int, eps: float, weight: Any
) -> Any:
    count, channels = input.shape[:2]
    got = None
    if _fits(g, input, weight) and _is_wide(input):
        shape = (count, groups, 1)
        mean64, rstd64 = (a.reshape(shape).astype(np.float64) for a in (mean, rstd))
        got = _channels_back(g, input, mean64, rstd64, (count, groups, channels // groups), 2, weight)
    return before(g, input, mean, rstd, groups, eps, weight) if got is None else got


# --- batch norm -------------------------------------------------------------------------------------------------------


def _is_matrix(input: Any) -> bool:
    return input.ndim == 2 and 1 < len(input) <= _MOST


def _batch_norm(
    before: Kernel, input: Any, training: bool, eps: float, weight: Any, bias: Any, mean: Any, var: Any
) -> Any:
    if training and _fits(input, weight, bias):
        if _is_wide(input):
            got = _channels(input, (*input.shape[:2], 1), 0, eps, weight, bias)
            if got is not None:
                return got[0], got[1].reshape(-1).astype(_FLOAT32), got[2].reshape(-1).astype(_FLOAT32)
        elif _is_matrix(input):
            affine = (weight is not None, bias is not None)
            found = kept(_norm, "batch_normalization", *input.shape, eps, *affine)
            if found is not None:
                out, width = np.empty(input.shape, _FLOAT32), input.shape[1]
                mean, var = np.empty(width, _FLOAT32), np.empty(width, _FLOAT32)
                found.run(_dense(input), out, mean, var, *[_dense(a) for a in (weight, bias) if a is not None])
                return out, mean, var
    return before(input, training, eps, weight, bias, mean, var)


def _batch_norm_backward(
    before: Kernel, g: Any, input: Any, mean: Any, var: Any, training: bool, eps: float, weight: Any
) -> Any:
    if training and _fits(g, input, weight):
        if _is_wide(input):
            wide = (1, -1, 1)
            rstd64 = 1 / np.sqrt(var.astype(np.float64) + eps)
            means = mean.astype(np.float64).reshape(wide)
            got = _channels_back(g, input, means, rstd64.reshape(wide), (*input.shape[:2], 1), 0, weight)
            if got is not None:
                return got
        elif _is_matrix(input):
            found = kept(_norm_back, "batch_normalization", *input.shape, eps, weight is not None)
            if found is not None:
                out, width = np.empty(input.shape, _FLOAT32), input.shape[1]
                given = (_dense(input), _dense(g), _dense(mean), _dense(var), out)
                if weight is None:
                    found.run(*given)
                    return (out,)
                by_weight, by_bias = np.empty(width, _FLOAT32), np.empty(width, _FLOAT32)
                found.run(*given, _dense(weight), by_weight, by_bias)
                return out, by_weight, by_bias
    return before(g, input, mean, var, training, eps, weight)


AROUND: Final[dict[str, Kernel]] = {
    "layer_norm": _layer_norm,
    "layer_norm_backward": _layer_norm_backward,
    "group_norm": _group_norm,
    "group_norm_backward": _group_norm_backward,
    "batch_norm": _batch_norm,
    "batch_norm_backward": _batch_norm_backward,
}

around: Final = library.around(AROUND)
