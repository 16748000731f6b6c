"""Kernels of the JAX backend that take another way for some shapes: the same values as NumPy's, which has one way."""

import numpy as np
import pytest

import dispatchtorch as torch

pytest.importorskip("jax")


def _both(act, *shapes):
    """Returns what an act gives on both backends, and the gradients of its arguments."""
    found = []
    for backend in ("numpy", "jax"):
        rng = np.random.default_rng(0)
        with torch.use_backend(backend):
            given = [torch.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
            out = act(*given)
            weights = torch.tensor(rng.standard_normal(tuple(out.shape)))
            (out * weights).sum().backward()
            found.append([t.detach().numpy() for t in (out, *[x.grad for x in given])])
    return zip(*found, strict=True)


@pytest.mark.parametrize(
    ("x", "w", "padding"),
    [((2, 1, 7, 6), (3, 1, 3, 3), 1), ((2, 3, 6, 6), (9, 3, 5, 5), 0), ((2, 8, 6, 5), (3, 8, 3, 3), 3)],
    ids=["one channel", "few inputs, so few outputs backwards", "few outputs, padded beyond the kernel"],
)
def test_convolutions_of_few_channels(x, w, padding):
    for here, there in _both(lambda x, w: torch.nn.functional.conv2d(x, w, padding=padding), x, w):
        np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", [(2, 2), (3, 2, 1), (2, 1, 1, 2), (3, 3, 0, 1, True)], ids=str)
def test_the_largest_of_windows(options):
    def act(x):
        return torch.nn.functional.max_pool2d(x, *options)

    for here, there in _both(act, (1, 2, 7, 8)):
        np.testing.assert_allclose(there, here, rtol=1e-12)


def test_a_window_of_nothing_but_infinities_names_a_place_inside():
    with torch.use_backend("jax"):
        x = torch.full((1, 1, 3, 3), -torch.inf)
        _, at = torch.nn.functional.max_pool2d(x, 2, 2, 1, 2, return_indices=True)
        assert at.tolist() == [[[[4, 4], [4, 4]]]]


@pytest.mark.parametrize("ignored", [-100, 1])
def test_the_likelihood_of_classes(ignored):
    classes = [0, 1, 2, 1]

    def act(x, w):
        target = torch.tensor(classes)
        return torch.nn.functional.cross_entropy(x, target, w.detach().abs(), ignore_index=ignored) + 0 * w.sum()

    for here, there in _both(act, (4, 3), (3,)):
        np.testing.assert_allclose(there, here, rtol=1e-12)
