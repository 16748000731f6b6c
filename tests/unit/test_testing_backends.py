"""One contract, five ways: what views, in-place writes and gradients promise holds on every backend that runs here."""

import importlib.util

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.plugin.selection import get_backend
from dispatchtorch.testing.loopback import ImmutableBackend, LoopbackBackend, frozen
from dispatchtorch.testing.strict_backend import strict_backend

MADE = {"loopback": LoopbackBackend(), "immutable": ImmutableBackend(), "strict": strict_backend()}
NAMES = ["numpy", *MADE, *(["jax"] if importlib.util.find_spec("jax") else [])]


@pytest.fixture(params=NAMES, autouse=True)
def backend(request):
    chosen = MADE.get(request.param) or get_backend(request.param)
    with torch.use_backend(chosen):
        yield chosen


def grid(*shape):
    return torch.arange(int(np.prod(shape)), dtype=torch.float32).view(*shape)


def test_a_write_through_a_view_reaches_the_base(backend):
    x = grid(2, 3)
    assert x.backend == backend.name
    y = x.view(6)
    y.add_(1)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_write_through_a_view_of_a_view(backend):
    x = grid(2, 3)
    x.t()[1].add_(10)
    assert x.tolist() == [[0, 11, 2], [3, 14, 5]]


def test_a_write_through_the_diagonal(backend):
    x = grid(3, 3)
    x.diagonal().fill_(0)
    assert x.tolist() == [[0, 1, 2], [3, 0, 5], [6, 7, 0]]


def test_a_write_through_a_part(backend):
    x = grid(4, 1)
    x.split(2)[0].add_(1)
    assert x.tolist() == [[1], [2], [2], [3]]


def test_a_write_to_the_base_reaches_the_view(backend):
    x = grid(2, 3)
    row = x[1]
    x.mul_(2)
    assert row.tolist() == [6, 8, 10]
    x[1, 0] = -1.0
    assert row.tolist() == [-1, 8, 10]


def test_an_in_place_write_to_a_view_has_its_gradient(backend):
    a = torch.ones(3, requires_grad=True)
    b = a * 2
    b[0].mul_(5)
    b.sum().backward()
    assert a.grad.tolist() == [10, 2, 2]


def test_strides_and_addresses_are_those_of_the_storage(backend):
    x = grid(2, 3)
    assert x.t().stride() == (1, 3)
    assert not x.t().is_contiguous()
    assert x[1].storage_offset() == 3
    assert x[1].data_ptr() == x.data_ptr() + 12
    before = x.data_ptr()
    x.add_(1)
    assert x.data_ptr() == before


def test_a_detached_tensor_shares_its_storage(backend):
    x = torch.zeros(2, requires_grad=True)
    x.detach().add_(1)
    assert x.tolist() == [1, 1]


def test_a_clone_does_not(backend):
    x = torch.zeros(2)
    y = x.clone()
    x.add_(1)
    y.sub_(1)
    assert (x.tolist(), y.tolist()) == ([1, 1], [-1, -1])


def test_a_host_array_is_never_aliased(backend):
    host = np.zeros(3, np.float32)
    x = torch.tensor(host)
    host[0] = 5
    assert x.tolist() == [0, 0, 0]


def test_a_frozen_array_refuses_a_write():
    with pytest.raises(ValueError, match="read-only"):
        frozen(np.zeros(2))[0] = 1
