"""Subscripts, gather and scatter, masks and joins, in torch's numbers, shapes and words."""

from __future__ import annotations

import pytest

import dispatchtorch as torch


def t(*values, **kwargs):
    return torch.tensor(list(values), **kwargs)


@pytest.fixture
def x():
    return torch.arange(24.0).reshape(2, 3, 4)


@pytest.fixture
def q():
    return torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        (lambda: [0, 1], (2, 3, 4)),
        (lambda: t(0, 1, 0), (3, 3, 4)),
        (lambda: (0, slice(None), [1, 2]), (3, 2)),
        (lambda: ([0, 1], slice(None), [1, 2]), (2, 3)),
        (lambda: (slice(None), [0, 1], [1, 2]), (2, 2)),
        (lambda: (t([0], [1]), [0, 2]), (2, 2, 4)),
        (lambda: (None, t(0, 1)), (1, 2, 3, 4)),
        (lambda: (t(0, 1), None, t(1, 1)), (2, 1, 4)),
        (lambda: True, (1, 2, 3, 4)),
        (lambda: False, (0, 2, 3, 4)),
        (lambda: (slice(None), True), (2, 1, 3, 4)),
        (lambda: [], (0, 3, 4)),
        (lambda: t(True, False), (1, 3, 4)),
        (lambda: (slice(None), t(True, False, True)), (2, 2, 4)),
        (lambda: torch.tensor(1), (3, 4)),
        (lambda: (Ellipsis, torch.tensor(2)), (2, 3)),
        (lambda: range(2), (2, 3, 4)),
    ],
)
def test_a_subscript_gives_torchs_shape(x, index, shape):
    assert tuple(x[index()].shape) == shape


def test_a_subscript_gives_the_elements(x):
    assert x[[0, 1], [1, 2]].tolist() == [[4, 5, 6, 7], [20, 21, 22, 23]]
    assert x[0, :, [1, 2]].tolist() == [[1, 2], [5, 6], [9, 10]]
    assert x[x > 21].tolist() == [22, 23]
    assert x[t(-1), 0, 0].tolist() == [12]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x[5], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda x: x[t(5)], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda x: x[0, 0, 0, 0], IndexError, "too many indices for tensor of dimension 3"),
        (lambda x: x[1.0], IndexError, "only integers, slices"),
        (lambda x: x[t(1.0)], IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
        (lambda x: x[::-1], ValueError, "step must be greater than zero"),
        (lambda x: x[0, 0, 0][0], IndexError, "invalid index of a 0-dim tensor"),
        (lambda x: x[t(True, True, True)], IndexError, r"The shape of the mask \[3\] at index 0 does not match"),
        (lambda x: x[[0, 1], [0, 1, 2]], IndexError, "indexing tensors could not be broadcast together with shapes"),
        (lambda x: x.gather(0, t(0)), RuntimeError, "Index tensor must have the same number of dimensions as input"),
        (lambda x: x.index_select(0, t(9)), IndexError, "index out of range in self"),
        (lambda x: x.take(t(99)), IndexError, "tried to access index 99 on a tensor of 24 elements"),
        (lambda x: torch.cat([]), ValueError, r"torch.cat\(\): expected a non-empty list of Tensors"),
        (lambda x: torch.cat([x, x[0]]), RuntimeError, "Tensors must have same number of dimensions: got 3 and 2"),
        (lambda x: torch.cat([x, x[:, 1:]]), RuntimeError, "Expected size 3 but got size 2 for tensor number 1"),
        (lambda x: torch.stack([x, x[0]]), RuntimeError, "stack expects each tensor to be equal size"),
        (lambda x: x.flip(0, 0), RuntimeError, "dim 0 appears multiple times in the list of dims"),
        (lambda x: x.repeat(2), RuntimeError, "Number of dimensions of repeat dims can not be smaller"),
    ],
)
def test_refusals_have_torchs_words(x, call, error, message):
    with pytest.raises(error, match=message):
        call(x)


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (t(0, 1, 1), torch.ones(2), r"value tensor of shape \[2\] cannot be broadcast to indexing result"),
        (0, torch.ones(2), r"The expanded size of the tensor \(3\) must match the existing size \(2\)"),
        (t(0), torch.ones(3, dtype=torch.int64), "Index put requires the source and destination dtypes match"),
    ],
)
def test_a_value_that_does_not_fit_leaves_the_tensor(q, index, value, message):
    with pytest.raises(RuntimeError, match=message):
        q[index] = value
    assert q.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(TypeError, match=r"can't assign a list to a torch\.FloatTensor"):
        q[0] = [1, 2, 3]


def test_writing_by_subscript(q):
    q[0, 1] = 9
    q[:, t(0, 2)] = t(7.0, 8.0)
    q[q == 4] = -1
    q[1, t(True, False, False)] = t(5.0)
    assert q.tolist() == [[7, 9, 8], [5, -1, 8]]
    q[0] += 1
    assert q[0].tolist() == [8, 10, 9]


def test_uint8_masks_are_deprecated(q):
    with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
        assert q[t(0, 1, dtype=torch.uint8)].tolist() == [[3, 4, 5]]


def test_gather_and_scatter(q):
    assert q.gather(1, t([0, 0], [2, 1])).tolist() == [[0, 0], [5, 4]]
    assert torch.zeros(2, 3).scatter(1, t([2], [0]), 1.0).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert torch.zeros(3).scatter_add(0, t(0, 0, 2), torch.ones(3)).tolist() == [2, 0, 1]
    results = {"sum": [5, 6, 1], "prod": [3, 5, 1], "mean": [5 / 3, 3, 1], "amax": [3, 5, 1], "amin": [1, 1, 1]}
    for mode, expected in results.items():
        got = torch.ones(3).scatter_reduce(0, t(0, 0, 1), t(1.0, 3.0, 5.0), mode)
        assert got.tolist() == pytest.approx(expected)
    q.index_add_(0, t(1, 1), torch.ones(2, 3))
    q.index_fill_(1, t(0), 0)
    q.index_copy_(0, t(0), t([9.0, 9.0, 9.0]))
    assert q.tolist() == [[9, 9, 9], [0, 6, 7]]
    assert torch.take_along_dim(q, q.argsort(1), 1)[1].tolist() == [0, 6, 7]


def test_an_empty_index_and_a_0_dim_tensor():
    s = torch.tensor(3.0)
    assert s.gather(0, t(0, 0)).tolist() == [3, 3]
    assert s[True].tolist() == [3]
    assert torch.zeros(3).scatter(0, torch.zeros(0, dtype=torch.int64), 1.0).tolist() == [0, 0, 0]


def test_gradients_of_repeated_indices_add_up(q):
    q.requires_grad_()
    (q[[0, 0, 1]].sum() + q.gather(1, t([0, 0], [1, 1])).sum() + q.take(t(-1)).sum()).backward()
    assert q.grad.tolist() == [[4, 2, 2], [1, 3, 2]]


def test_an_embedding_pads():
    weight = torch.ones(3, 2, requires_grad=True)
    torch.embedding(weight, t(0, 1, 1, 2), 2).sum().backward()
    assert weight.grad.tolist() == [[1, 1], [2, 2], [0, 0]]
    many = torch.zeros(5, 8, requires_grad=True)
    torch.embedding(many, torch.arange(100) % 4).sum().backward()
    assert many.grad[:, 0].tolist() == [25, 25, 25, 25, 0]


def test_masks():
    mask = t(True, False, True)
    assert torch.masked_select(t(1, 2, 3), mask).tolist() == [1, 3]
    assert torch.zeros(3).masked_scatter(mask, t(5.0, 6.0, 7.0)).tolist() == [5, 0, 6]
    assert torch.nonzero(t([0, 5], [7, 0])).tolist() == [[0, 1], [1, 0]]
    assert [p.tolist() for p in torch.where(t([0, 5], [7, 0]) > 0)] == [[0, 1], [1, 0]]
    assert tuple(torch.nonzero(torch.tensor(1.0)).shape) == (1, 0)


def test_rearrangements(q):
    assert q.flip(1).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert q.roll(1).tolist() == [[5, 0, 1], [2, 3, 4]]
    assert q.rot90().tolist() == [[2, 5], [1, 4], [0, 3]]
    assert q.repeat(1, 2)[0].tolist() == [0, 1, 2, 0, 1, 2]
    assert q.repeat_interleave(t(2, 0), 0).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert q.tril().tolist() == [[0, 0, 0], [3, 4, 0]]
    assert torch.triu_indices(2, 3, 1).tolist() == [[0, 0, 1], [1, 2, 2]]
    assert t(1, 2).diag(1).tolist() == [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    assert torch.bincount(t(0, 2, 2), minlength=4).tolist() == [1, 0, 2, 0]


def test_joins(q):
    assert torch.cat([q, q.long()], 1).dtype is torch.float32
    assert torch.cat([torch.zeros(0), q]).tolist() == q.tolist()
    assert torch.stack([q[0], q[1]], 1).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tuple(torch.dstack([q, q]).shape) == (2, 3, 2)
    assert torch.block_diag(t(1), torch.tensor(2)).tolist() == [[1, 0], [0, 2]]
    first, second = torch.meshgrid(t(1, 2), t(3, 4, 5), indexing="xy")
    assert first.tolist() == [[1, 2]] * 3
    assert second.tolist() == [[3, 3], [4, 4], [5, 5]]
    assert torch.cartesian_prod(t(1, 2), t(3, 4)).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]
    assert torch.combinations(t(1, 2, 3)).tolist() == [[1, 2], [1, 3], [2, 3]]


def test_gradients_of_joins(q):
    q.requires_grad_()
    weight = torch.arange(12.0).reshape(4, 3)
    (torch.cat([q, q * 2]) * weight).sum().backward()
    assert q.grad.tolist() == [[12, 15, 18], [21, 24, 27]]


@pytest.mark.parametrize("name", ["cat", "stack"])
def test_one_tensor_is_no_list_of_tensors(name, q):
    with pytest.raises(TypeError, match=rf"{name}\(\): argument 'tensors' \(position 1\) must be tuple of Tensors"):
        getattr(torch, name)(q)
