"""Parts and pairs of complex numbers are views on every backend: writes go through, gradients too."""

from __future__ import annotations

import pytest

import dispatchtorch as torch


@pytest.fixture(params=["numpy", "jax"])
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


def test_writes_through_parts_and_pairs_reach_the_numbers_and_each_other(backend):
    x = torch.tensor([[1 + 2j, 3 + 4j], [5 + 6j, 7 + 8j]])
    pairs, transposed = torch.view_as_real(x), x.t().imag
    x.real.add_(10)
    x.imag[0].mul_(2)
    pairs[1, 1, 0] = 99
    assert x.tolist() == [[11 + 4j, 13 + 8j], [15 + 6j, 99 + 8j]]
    assert transposed.tolist() == [[4.0, 6.0], [8.0, 8.0]]
    assert x.real.stride() == (4, 2)
    assert (x.imag.storage_offset(), x.imag.data_ptr() - x.data_ptr()) == (1, 4)
    assert x.real.storage().data_ptr() == x.storage().data_ptr()


def test_pairs_seen_as_complex_numbers_are_written_through(backend):
    pairs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    numbers = torch.view_as_complex(pairs)
    numbers.mul_(1j)
    assert pairs.tolist() == [[-2.0, 1.0], [-4.0, 3.0]]


def test_a_write_to_the_real_part_is_in_the_gradient_of_the_base(backend):
    z = torch.tensor([1 + 1j, 2 + 2j], requires_grad=True)
    w = z * 2
    w.real.mul_(3)
    (w.abs() ** 2).sum().backward()
    assert torch.view_as_real(z.grad).flatten().tolist() == pytest.approx([72.0, 8.0, 144.0, 16.0])
