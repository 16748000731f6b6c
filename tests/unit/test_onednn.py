"""oneDNN's kernels give what the NumPy backend's give; without it the plugin says what to install."""

import copy
import ctypes.util
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.plugin.manager import manager
from dispatchtorch_onednn import activation, convolution, library, normalization, plugin

F = torch.nn.functional


def _missing() -> bool:
    try:
        library.load()
    except (ImportError, OSError):
        return True
    return False


needs_library = pytest.mark.skipif(_missing(), reason="libdnnl is not installed")


@pytest.fixture
def registered() -> Iterator[None]:
    manager().register(plugin)
    yield
    manager().unregister(plugin)


CASES = [
    (F.conv2d, (2, 3, 8, 7), (4, 3, 3, 2), {"padding": 1, "stride": 2}),
    (F.conv2d, (2, 4, 6, 6), (6, 2, 3, 3), {"groups": 2, "dilation": 2, "padding": (2, 1)}),
    (F.conv2d, (2, 8, 6, 6), (8, 1, 3, 3), {"groups": 8, "padding": 1}),
    (F.conv1d, (2, 5, 9), (4, 5, 3), {"padding": 1}),
    (F.conv3d, (1, 4, 4, 5, 4), (5, 4, 2, 3, 2), {}),
    (F.conv_transpose2d, (2, 4, 5, 4), (4, 5, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
]


def _results(call, x, w, options):  # type: ignore[no-untyped-def]  # any of the functions above
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    out = call(x, w, torch.ones(w.shape[1 if call is F.conv_transpose2d else 0]), **options)
    (out * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
    return out.detach(), x.grad, w.grad


@needs_library
@pytest.mark.parametrize(("call", "image", "weight", "options"), CASES)
def test_values_and_gradients_are_those_of_numpy(call, image, weight, options, request):
    torch.manual_seed(0)
    x, w = torch.randn(*image), torch.randn(*weight)
    plain = _results(call, x, w, options)
    request.getfixturevalue("registered")
    for ours, theirs in zip(_results(call, x, w, options), plain, strict=True):
        assert ours.stride() == theirs.stride()
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@needs_library
def test_it_computes_and_hands_on_what_it_has_not():
    seen = []
    kernel = convolution.around("convolution", lambda *given: seen.append(given[0].dtype))
    one, none = (1, 1), (0, 0)
    for dtype in (np.float32, np.float64):
        x, w = np.ones((1, 4, 5, 5), dtype), np.ones((4, 4, 3, 3), dtype)
        out = kernel(x, w, one, none, one, False, none, 1, None)
        assert (out is None) == (dtype is np.float64)
    assert seen == [np.float64]
    wide = [np.ones(shape, np.float32) for shape in ((1, 4, 5, 5), (4, 4, 3, 3))]
    assert kernel(*wide, one, none, one, False, none, 1, None)[0, 0, 0, 0] == 36


nn = torch.nn
NORMS = [
    (nn.LayerNorm(9), (5, 7, 9)),
    (nn.LayerNorm((7, 9), bias=False), (5, 7, 9)),
    (nn.LayerNorm(33, elementwise_affine=False), (4, 33)),
    (nn.GroupNorm(3, 6), (4, 6, 5, 8)),
    (nn.GroupNorm(2, 6, affine=False), (4, 6, 40)),
    (nn.GroupNorm(2, 6), (4, 6)),
    (nn.BatchNorm1d(7), (12, 7)),
    (nn.BatchNorm1d(7, affine=False), (12, 7)),
    (nn.BatchNorm1d(7), (12, 7, 3)),
    (nn.BatchNorm2d(4), (3, 4, 6, 7)),
    (nn.BatchNorm2d(4).eval(), (3, 4, 6, 7)),
]


def _normalized(layer, x):  # type: ignore[no-untyped-def]  # any of the modules above
    layer.zero_grad()
    x = x.clone().requires_grad_()
    out = layer(x)
    (out * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
    return out.detach(), x.grad, *[p.grad.clone() for p in layer.parameters()], *[b.clone() for b in layer.buffers()]


@needs_library
@pytest.mark.parametrize("offset", [0.0, 300.0])
@pytest.mark.parametrize(("layer", "shape"), NORMS)
def test_norms_are_those_of_numpy_in_float64(layer, shape, offset, request):
    torch.manual_seed(0)
    x = torch.randn(*shape) + offset
    for p in layer.parameters():
        nn.init.uniform_(p)
    exact = _normalized(copy.deepcopy(layer).double(), x.double())
    request.getfixturevalue("registered")
    for ours, theirs in zip(_normalized(layer, x), exact, strict=True):
        assert ours.stride() == theirs.stride()
        tolerance = 1e-3 if offset else 2e-5
        torch.testing.assert_close(ours.to(theirs.dtype), theirs, rtol=tolerance, atol=tolerance)


@needs_library
def test_every_norm_is_computed_by_onednn_where_it_fits_and_handed_on_where_not():
    seen = []
    x = np.random.default_rng(0).standard_normal((4, 6, 64))
    mean, deviation = np.zeros((4, 2, 1)), np.ones((4, 2, 1))
    one, none = np.ones(6), np.zeros(6)
    calls = {
        "layer_norm": (x, 1, 1e-5, None, None),
        "layer_norm_backward": (x, x, none.repeat(4), one.repeat(4), 1, 1e-5, None),
        "group_norm": (x, 2, 1e-5, one, none),
        "group_norm_backward": (x, x, mean, deviation, 2, 1e-5, one),
        "batch_norm": (x, True, 1e-5, one, none, None, None),
        "batch_norm_backward": (x, x, none, one, True, 1e-5, one),
    }
    assert set(calls) == set(normalization.AROUND)
    for op, given in calls.items():
        kernel = normalization.around(op, lambda *given: seen.append(op))  # noqa: B023  # runs within the loop
        single = [a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in given]
        assert kernel(*single)[0].shape == x.shape
        assert kernel(*given) is None
    assert seen == list(calls)


ACTIVATIONS = {"gelu": (F.gelu, ("none",)), "silu": (F.silu, ()), "sigmoid": (torch.sigmoid, ())}


@needs_library
@pytest.mark.parametrize("op", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_activations_are_those_of_numpy_in_float64(op, scale, registered):
    assert set(ACTIVATIONS) == set(activation.AROUND)
    call, more = ACTIVATIONS[op]
    torch.manual_seed(0)
    x = torch.randn(100, 100) * scale
    for given in (x, x.t()):
        ours, theirs = call(given, *more), call(given.double(), *more)
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=2e-6)
    out = call(x, *more)
    assert out.data_ptr() != x.data_ptr()
    assert out.stride() == x.stride()
    assert call(torch.full((100, 100), float("nan")), *more).isnan().all()


@needs_library
@pytest.mark.parametrize("op", ACTIVATIONS)
def test_activations_hand_on_what_is_small_or_of_another_type(op):
    seen = []
    _, more = ACTIVATIONS[op]
    kernel = activation.around(op, lambda a, *_: seen.append((a.dtype, a.size)))
    for size, dtype in ((10000, np.float32), (10000, np.float64), (10, np.float32)):
        out = kernel(np.zeros((2, size // 2), dtype), *more)
        assert (out is None) == ((dtype, size) != (np.float32, 10000))
    assert seen == [(np.float64, 10000), (np.float32, 10)]


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    monkeypatch.setattr(sys, "base_prefix", "/nowhere")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'dispatchtorch\[onednn\]'"):
        library.load.__wrapped__()
