"""Aliasing is a promise on every backend: views share memory, writes are seen everywhere, gradients follow.

The first half tells known stories; the second runs random programs of views and writes beside a plain numpy model.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import dispatchtorch as torch
from tests.unit.view_programs import data, gradients, programs, run_model, run_tensors


@pytest.fixture(params=["numpy", "jax"])
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


@pytest.fixture
def x(backend):
    return torch.arange(6.0).reshape(2, 3)


# --- what other systems on immutable arrays get wrong ----------------------------------------------------------------


def test_a_write_to_a_reshaped_view_reaches_the_base(x):
    y = x.view(6)
    y.add_(1)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_write_to_a_row_of_the_transpose_reaches_the_base(x):
    x.t()[1].add_(10)
    assert x.tolist() == [[0, 11, 2], [3, 14, 5]]


def test_a_diagonal_can_be_filled(backend):
    x = torch.ones(3, 3)
    x.diagonal().fill_(0)
    assert x.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_a_write_to_a_piece_of_a_split_reaches_the_base(x):
    x.split(1)[0].add_(1)
    assert x.tolist() == [[1, 2, 3], [3, 4, 5]]


def test_a_write_through_a_view_changes_the_gradient(backend):
    a = torch.ones(3, requires_grad=True)
    b = a * 2
    b[0].mul_(5)
    b.sum().backward()
    assert a.grad.tolist() == [10, 2, 2]


def test_strides_are_those_of_the_view(x):
    assert x.t().stride() == (1, 3)
    assert x[:, 1:].stride() == (3, 1)
    assert x[:, 1:].storage_offset() == 1
    assert not x.t().is_contiguous()
    assert x.unfold(1, 2, 1).stride() == (3, 1, 1)
    assert x[0].expand(4, 3).stride() == (0, 1)


def test_every_view_has_its_base_storage(x):
    address = x.storage().data_ptr()
    views = (x.view(6), x.t(), x[1], x[:, 2], x.diagonal(), x.detach(), x.unsqueeze(0), x.expand(2, 2, 3))
    for view in (*views, *x.split(1)):
        assert view.storage().data_ptr() == address
    assert x[1].data_ptr() == x.data_ptr() + 3 * 4
    x.add_(1)
    x[0] = 5
    assert x.storage().data_ptr() == address
    assert x.clone().storage().data_ptr() != address


def test_one_generator_used_twice_goes_on(backend):
    generator = torch.Generator().manual_seed(3)
    first, second = torch.rand(3, generator=generator), torch.rand(3, generator=generator)
    assert first.tolist() != second.tolist()


# --- writes and views ------------------------------------------------------------------------------------------------


def test_a_write_to_the_base_is_seen_by_older_views(x):
    row, column, flat = x[1], x[:, 0], x.view(-1)
    x.mul_(2)
    assert row.tolist() == [6, 8, 10]
    assert column.tolist() == [0, 6]
    flat[0] = 7
    assert column.tolist() == [7, 6]
    assert x[0, 0].item() == 7


def test_views_and_base_share_one_version(x):
    row = x[0]
    row.add_(1)
    x.t().mul_(2)
    assert x._version == row._version == 2
    assert x.clone()._version == 0


def test_a_detached_tensor_writes_through(x):
    x.detach()[0].zero_()
    assert x.tolist() == [[0, 0, 0], [3, 4, 5]]


def test_a_copy_of_a_transposed_tensor_is_its_own(x):
    y = x.t().reshape(6)
    y.zero_()
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("name", ["flip", "roll", "rot90", "repeat", "index", "tril", "cat"])
def test_what_is_no_view_owns_its_memory(x, name):
    make = {
        "flip": lambda: x.flip(0),
        "roll": lambda: x.roll(0),
        "rot90": lambda: x.rot90(0),
        "repeat": lambda: x.repeat(1, 1),
        "index": lambda: x[[0, 1]],
        "tril": lambda: x.tril(5),
        "cat": lambda: torch.cat([x]),
    }[name]
    make().add_(100)
    assert x.max().item() == 5


def test_an_expanded_tensor_cannot_be_written(x):
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory"):
        x[0].expand(3, 3).add_(1)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_tensor_itself_can_become_its_view(x):
    row = x[0]
    x.t_()
    assert x.shape == (3, 2)
    assert x.stride() == (1, 3)
    x[0, 0] = 9
    assert row.tolist() == [9, 1, 2]
    x.unsqueeze_(0).squeeze_(0)
    assert x.shape == (3, 2)


def test_resize_keeps_what_was_there(x):
    x.resize_(2, 2)
    assert x.tolist() == [[0, 1], [2, 3]]
    x.resize_(7)
    assert x[:6].tolist() == [0, 1, 2, 3, 4, 5]


# --- autograd --------------------------------------------------------------------------------------------------------


def test_a_saved_tensor_written_through_a_view_is_noticed(backend):
    a = torch.ones(3, requires_grad=True)
    b = a * 2
    c = b * b
    b[0] = 3
    with pytest.raises(RuntimeError, match="is at version 1; expected version 0 instead"):
        c.sum().backward()


def test_leaves_and_their_views_refuse_writes(backend):
    a = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        a.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad is being used in an in-place"):
        a[0].add_(1)
    assert a.tolist() == [[1, 1], [1, 1]]


def test_a_piece_of_several_refuses_writes(backend):
    a = torch.ones(4, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="Output 0 of Split is a view and is being modified inplace"):
        a.split(2)[0].add_(1)
    with pytest.raises(RuntimeError, match="Output 1 of Unbind is a view and is being modified inplace"):
        a.unbind()[1].add_(1)


def test_a_written_value_gets_its_gradient(backend):
    a = torch.ones(2, 3, requires_grad=True)
    v = torch.full((3,), 2.0, requires_grad=True)
    b = a * 1
    b[0] = v
    b.t()[0].mul_(3)
    b.sum().backward()
    assert a.grad.tolist() == [[0, 0, 0], [3, 1, 1]]
    assert v.grad.tolist() == [3, 1, 1]


def test_an_advanced_write_gets_its_gradient(backend):
    a = torch.ones(4, requires_grad=True)
    v = torch.tensor([5.0, 6.0], requires_grad=True)
    b = a * 2
    b[[0, 2]] = v
    (b * b).sum().backward()
    assert a.grad.tolist() == [0, 8, 0, 8]
    assert v.grad.tolist() == [10, 12]


def test_writing_where_a_mask_is_true(backend):
    a = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    b = a * 1
    b[b < 0] = 0
    b.sum().backward()
    assert b.tolist() == [1, 0, 3]
    assert a.grad.tolist() == [1, 0, 1]


# --- random programs -------------------------------------------------------------------------------------------------

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def check_values(program):
    """Every tensor of the program has the model's values, strides and place, and one storage."""
    arrays = run_model(program)
    tensors, _ = run_tensors(torch, program)
    base = arrays[0].__array_interface__["data"][0]
    addresses = {t.storage().data_ptr() for t in tensors}
    assert len(addresses) == 1
    assert len({t._version for t in tensors}) == 1
    for array, t in zip(arrays, tensors, strict=True):
        assert tuple(t.shape) == array.shape
        np.testing.assert_array_equal(np.asarray(t.tolist()).reshape(array.shape), array)
        if array.size:
            moving = [d for d, n in enumerate(array.shape) if n > 1]
            assert [t.stride(d) for d in moving] == [array.strides[d] // 8 for d in moving]
            assert t.storage_offset() == (array.__array_interface__["data"][0] - base) // 8


@settings(RELAXED, max_examples=150)
@given(programs())
def test_random_views_and_writes_agree_with_numpy(program):
    check_values(program)


@settings(RELAXED, max_examples=12)
@given(programs())
def test_random_views_and_writes_agree_with_numpy_on_immutable_arrays(program):
    pytest.importorskip("jax")
    with torch.use_backend("jax"):
        check_values(program)


@settings(RELAXED, max_examples=12)
@given(programs())
def test_gradients_through_random_views_and_writes_agree_between_backends(program):
    pytest.importorskip("jax")
    here = gradients(torch, program)
    with torch.use_backend("jax"):
        there = gradients(torch, program)
    for a, b in zip(here, there, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12)


@settings(RELAXED, max_examples=30)
@given(programs())
def test_gradients_through_random_views_and_writes_agree_with_differences(program):
    """The programs are polynomials of small degree in each input, so central differences are nearly exact."""
    start, leaf = gradients(torch, program)
    begin, factor, step = data(program.shape, 1), np.float64(1.5), 1e-4

    def total(begin, factor):
        arrays = run_model(program, begin.copy(), factor)
        return sum(float((a * data(a.shape, salt)).sum()) for salt, a in enumerate(arrays))

    expected = np.zeros(program.shape)
    for place in np.ndindex(*program.shape):
        shift = np.zeros(program.shape)
        shift[place] = step
        expected[place] = (total(begin + shift, factor) - total(begin - shift, factor)) / (2 * step)
    np.testing.assert_allclose(0.0 if start is None else np.asarray(start), expected, rtol=1e-5, atol=1e-5)
    slope = (total(begin, factor + step) - total(begin, factor - step)) / (2 * step)
    np.testing.assert_allclose(0.0 if leaf is None else leaf, slope, rtol=1e-5, atol=1e-4)
