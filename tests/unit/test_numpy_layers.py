"""The NumPy backend's kernels of convolutions, pools and norms, where geometry or size takes another way."""

import itertools

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch_numpy.kernels import KERNELS, conv, norm

GEOMETRIES = [
    # sizes, kernel, stride, padding, dilation, groups
    ((7, 6), (3, 2), (1, 1), (1, 0), (1, 1), 1),
    ((6, 6), (3, 3), (1, 1), (1, 1), (1, 1), 2),  # as wide as the image: flat runs
    ((9, 8), (3, 4), (2, 3), (2, 1), (1, 2), 1),
    ((9, 9), (2, 3), (4, 2), (0, 3), (3, 2), 2),  # places of the stride that no kernel meets
    ((5, 5), (1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((8,), (3,), (2,), (1,), (2,), 4),
    ((4, 5, 3), (2, 3, 2), (1, 2, 1), (1, 0, 1), (1, 1, 2), 1),
]


@pytest.mark.parametrize("budget", [1, 1 << 18])
@pytest.mark.parametrize(("sizes", "kernel", "stride", "padding", "dilation", "groups"), GEOMETRIES)
def test_the_three_kernels_of_convolution_are_one_bilinear_form(
    sizes, kernel, stride, padding, dilation, groups, budget, monkeypatch
):
    monkeypatch.setattr(conv, "BUDGET", budget)
    rng, none = np.random.default_rng(0), (0,) * len(sizes)
    x, w = rng.standard_normal((3, 4, *sizes)), rng.standard_normal((4, 4 // groups, *kernel))
    out = KERNELS["_convolution"](x, w, stride, padding, dilation, False, none, groups, None)
    g = rng.standard_normal(out.shape)
    extra = tuple(
        n - ((o - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, o, s, p, d, k in zip(sizes, out.shape[2:], stride, padding, dilation, kernel, strict=True)
    )
    back = KERNELS["_convolution"](g, w, stride, padding, dilation, True, extra, groups, None)
    by_weight = KERNELS["_convolution_weight"](x, g, kernel, stride, padding, dilation, groups)
    assert back.shape == x.shape
    assert by_weight.shape == w.shape
    form = (out * g).sum()
    np.testing.assert_allclose([(back * x).sum(), (by_weight * w).sum()], [form, form], rtol=1e-9)


@pytest.mark.parametrize(("sizes", "kernel", "stride", "padding", "dilation", "groups"), GEOMETRIES[:4])
def test_a_convolution_is_the_sum_over_its_windows(sizes, kernel, stride, padding, dilation, groups):
    rng = np.random.default_rng(0)
    x, w, bias = rng.standard_normal((2, 4, *sizes)), rng.standard_normal((6, 4 // groups, *kernel)), np.arange(6.0)
    out = KERNELS["_convolution"](x, w, stride, padding, dilation, False, (0, 0), groups, bias)
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    for place in itertools.product(*map(range, out.shape[2:])):
        where = [slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(place, stride, dilation, kernel)]
        window = padded[(slice(None), slice(None), *where)].reshape(2, groups, 4 // groups, *kernel)
        want = np.einsum("ngcij,gocij->ngo", window, w.reshape(groups, -1, *w.shape[1:])).reshape(2, 6) + bias
        np.testing.assert_allclose(out[(slice(None), slice(None), *place)], want, rtol=1e-9, atol=1e-12)


def test_of_equals_the_first_is_the_largest_in_small_and_large_windows():
    x = torch.zeros(1, 1, 20, 20)
    x[0, 0, 3, 7] = x[0, 0, 3, 5] = x[0, 0, 9, 1] = 1.0
    for size in (10, 20):  # a hundred places fit a byte, four hundred do not
        values, places = torch.nn.functional.max_pool2d(x, size, return_indices=True)
        assert (values[0, 0, 0, 0].item(), places[0, 0, 0, 0].item()) == (1.0, 3 * 20 + 5)


@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_norms_lose_no_digits_beside_a_large_mean(mean):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((8, 4, 32)) + mean).astype(np.float32)
    wide = x.astype(np.float64)
    for kernel, given, axes in (
        ("_layer_norm", (1, 0.0, None, None), (2,)),
        ("_group_norm", (1, 0.0, None, None), (1, 2)),
        ("_batch_norm", (True, 0.0, None, None, None, None), (0, 2)),
    ):
        got = norm.KERNELS[kernel](x, *given)[0]
        want = (wide - wide.mean(axes, keepdims=True)) / wide.std(axes, keepdims=True)
        np.testing.assert_allclose(got, want, atol=3e-6)
