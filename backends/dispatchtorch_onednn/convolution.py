"""The kernels of convolution and of its weight's gradient over oneDNN, for float32 in one to three dimensions.

What oneDNN has not, or does slowly, goes to the kernel that was there before.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_onednn import library
from dispatchtorch_onednn.library import Convolution, kept

__all__ = ["AROUND", "around"]

Ints = tuple[int, ...]
_FEW: Final = 3  # oneDNN is slow at the gradient of images with so few channels


def _fits(*arrays: Any) -> bool:
    return all(a.dtype == np.float32 and a.size for a in arrays)


def _dense(array: Any) -> Any:
    return np.ascontiguousarray(array)


def _convolution(
    before: Kernel,
    input: Any,
    weight: Any,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    bias: Any,
) -> Any:
    given = (input, weight, stride, padding, dilation, transposed, output_padding, groups, bias)
    slow = transposed and weight.shape[1] <= _FEW and groups == 1
    if not _fits(input, weight) or slow or (transposed and input.ndim > 4):  # volumes are added up in torch's order
        return before(*given)
    sizes = zip(input.shape[2:], weight.shape[2:], stride, padding, dilation, output_padding)
    if transposed:
        outs = [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, d, o in sizes]
        shape = (len(input), weight.shape[1] * groups, *outs)
        image, result, kind = shape, input.shape, "input"
    else:
        outs = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in sizes]
        shape = (len(input), weight.shape[0], *outs)
        image, result, kind = input.shape, shape, "forward"
    adds = bias is not None and not transposed
    found = kept(Convolution, kind, image, weight.shape, result, stride, padding, dilation, groups, adds)
    if found is None or 0 in shape:
        return before(*given)
    out = np.empty(shape, np.float32)
    found.run(_dense(input), _dense(weight), _dense(bias) if adds else None, out)
    if bias is not None and not adds:
        out += bias.reshape(-1, *(1 for _ in stride))
    return out


def _convolution_weight(
    before: Kernel, input: Any, cotangent: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Any:
    shape = (cotangent.shape[1], input.shape[1] // groups, *kernel)
    found = None
    if _fits(input, cotangent):
        found = kept(
            Convolution, "weight", input.shape, shape, cotangent.shape, stride, padding, dilation, groups, False
        )
    if found is None:
        return before(input, cotangent, kernel, stride, padding, dilation, groups)
    out = np.empty(shape, np.float32)
    found.run(_dense(input), _dense(cotangent), None, out)
    return out


AROUND: Final[dict[str, Kernel]] = {"convolution": _convolution, "convolution_weight": _convolution_weight}

around: Final = library.around(AROUND)
