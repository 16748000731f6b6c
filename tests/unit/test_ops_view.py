"""Views of tensors: which elements they show, how they lie, what torch calls their nodes and refuses."""

from __future__ import annotations

import pytest

import dispatchtorch as torch


@pytest.fixture
def x():
    return torch.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("view", "shape", "strides", "offset"),
    [
        (lambda x: x.view(6, 4), (6, 4), (4, 1), 0),
        (lambda x: x.view((4, -1)), (4, 6), (6, 1), 0),
        (lambda x: x.view(torch.Size([24])), (24,), (1,), 0),
        (lambda x: x.permute(2, 0, 1), (4, 2, 3), (1, 12, 4), 0),
        (lambda x: torch.permute(x, (0, 2, 1)), (2, 4, 3), (12, 1, 4), 0),
        (lambda x: x.transpose(0, -1), (4, 3, 2), (1, 4, 12), 0),
        (lambda x: x.mT, (2, 4, 3), (12, 1, 4), 0),
        (lambda x: x[0].T, (4, 3), (1, 4), 0),
        (lambda x: x.movedim(0, 2), (3, 4, 2), (4, 1, 12), 0),
        (lambda x: x.select(1, -1), (2, 4), (12, 1), 8),
        (lambda x: x.narrow(2, 1, 2), (2, 3, 2), (12, 4, 1), 1),
        (lambda x: x[1, 2], (4,), (1,), 20),
        (lambda x: x[:, ::2, 1:], (2, 2, 3), (12, 8, 1), 1),
        (lambda x: x[..., None, 0], (2, 3, 1), (12, 4, 4), 0),
        (lambda x: x[5:], (0, 3, 4), (12, 4, 1), 24),
        (lambda x: x.unsqueeze(-1), (2, 3, 4, 1), (12, 4, 1, 1), 0),
        (lambda x: x[:, :1].squeeze(1), (2, 4), (12, 1), 0),
        (lambda x: x[0, 0].expand(2, -1), (2, 4), (0, 1), 0),
        (lambda x: x.flatten(1), (2, 12), (12, 1), 0),
        (lambda x: x.unflatten(2, (2, -1)), (2, 3, 2, 2), (12, 4, 2, 1), 0),
        (lambda x: x.diagonal(1, 0, 2), (3, 2), (4, 13), 1),
        (lambda x: x.unfold(2, 2, 2), (2, 3, 2, 2), (12, 4, 2, 1), 0),
        (lambda x: x.chunk(3, 2)[1], (2, 3, 2), (12, 4, 1), 2),
        (lambda x: x.tensor_split(3, 2)[2], (2, 3, 1), (12, 4, 1), 3),
        (lambda x: x.unbind(1)[2], (2, 4), (12, 1), 8),
        (lambda x: x.as_strided((2, 2), (1, 2), 3), (2, 2), (1, 2), 3),
    ],
)
def test_a_view_is_where_torch_has_it(x, view, shape, strides, offset):
    v = view(x)
    assert (tuple(v.shape), v.stride(), v.storage_offset()) == (shape, strides, offset)
    assert v.storage().data_ptr() == x.storage().data_ptr()


@pytest.mark.parametrize(
    ("view", "node"),
    [
        (lambda x: x.view(24), "ViewBackward0"),
        (lambda x: x.reshape(24), "ViewBackward0"),
        (lambda x: x.mT.reshape(24), "UnsafeViewBackward0"),
        (lambda x: x[0].t(), "TBackward0"),
        (lambda x: x.transpose(0, 1), "TransposeBackward0"),
        (lambda x: x.movedim(0, 1), "PermuteBackward0"),
        (lambda x: x[0], "SelectBackward0"),
        (lambda x: x[:, 0], "SelectBackward0"),
        (lambda x: x[:1], "SliceBackward0"),
        (lambda x: x[:], "SliceBackward0"),
        (lambda x: x[:, :], "AliasBackward0"),
        (lambda x: x[...], "AliasBackward0"),
        (lambda x: x[None], "UnsqueezeBackward0"),
        (lambda x: x.expand(2, 2, 3, 4), "ExpandBackward0"),
        (lambda x: x.squeeze(), "SqueezeBackward0"),
        (lambda x: x.squeeze(0), "SqueezeBackward1"),
        (lambda x: x.diagonal(), "DiagonalBackward0"),
        (lambda x: x.unfold(2, 2, 1), "UnfoldBackward0"),
        (lambda x: x.split(1)[0], "SplitBackward0"),
        (lambda x: x.split([1, 1])[0], "SplitWithSizesBackward0"),
        (lambda x: x.unbind()[0], "UnbindBackward0"),
        (lambda x: x.as_strided((2,), (1,)), "AsStridedBackward0"),
        (lambda x: x.select_scatter(x[0], 0, 1), "SelectScatterBackward0"),
    ],
)
def test_nodes_have_torchs_names(x, view, node):
    assert view(x.requires_grad_() * 1).grad_fn.name() == node


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (lambda a: a[1], [[0, 0, 0], [1, 1, 1]]),
        (lambda a: a[:, 1:], [[0, 1, 1], [0, 1, 1]]),
        (lambda a: a.diagonal(1), [[0, 1, 0], [0, 0, 1]]),
        (lambda a: a.unfold(1, 2, 1), [[1, 2, 1], [1, 2, 1]]),
        (lambda a: a.expand(4, 2, 3), [[4, 4, 4], [4, 4, 4]]),
        (lambda a: a.split(2, 1)[1], [[0, 0, 1], [0, 0, 1]]),
        (lambda a: a.as_strided((3, 2), (1, 1)), [[1, 2, 2], [1, 0, 0]]),
        (lambda a: a.unbind(1)[0], [[1, 0, 0], [1, 0, 0]]),
        (lambda a: a.t().reshape(-1)[:2], [[1, 0, 0], [1, 0, 0]]),
    ],
)
def test_gradients_go_back_to_where_elements_came_from(view, expected):
    a = torch.ones(2, 3, requires_grad=True)
    view(a).sum().backward()
    assert a.grad.tolist() == expected


def test_views_differentiate_twice():
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (g,) = torch.autograd.grad((a[1].expand(2, 2).diagonal() ** 3).sum(), a, create_graph=True)
    assert g.tolist() == [[0, 0], [27, 48]]
    g.sum().backward()
    assert a.grad.tolist() == [[0, 0], [18, 24]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.view(5), RuntimeError, r"shape '\[5\]' is invalid for input of size 24"),
        (lambda x: x.view(-1, -1), RuntimeError, "only one dimension can be inferred"),
        (lambda x: x.view(-2, 12), RuntimeError, r"invalid shape dimension -2 at index 0 of shape \[-2, 12\]"),
        (lambda x: x.mT.view(24), RuntimeError, "view size is not compatible with input tensor's size and stride"),
        (lambda x: x.t(), RuntimeError, r"t\(\) expects a tensor with <= 2 dimensions, but self is 3D"),
        (lambda x: x.transpose(0, 3), IndexError, r"Dimension out of range \(expected to be in range of \[-3, 2\]"),
        (lambda x: x.permute(0, 0, 1), RuntimeError, r"permute\(\): duplicate dims are not allowed."),
        (lambda x: x.select(0, 5), IndexError, r"select\(\): index 5 out of range for tensor of size \[2, 3, 4\]"),
        (lambda x: x.narrow(0, 1, 2), RuntimeError, r"start \(1\) \+ length \(2\) exceeds dimension size \(2\)"),
        (lambda x: x.expand(4), RuntimeError, r"expand\(torch.FloatTensor\{\[2, 3, 4\]\}, size=\[4\]\)"),
        (lambda x: x.split([1, 2]), RuntimeError, "split_with_sizes expects split_sizes to sum exactly to 2"),
        (lambda x: x.hsplit(2), RuntimeError, "torch.hsplit attempted to split along dimension 1"),
        (lambda x: x.as_strided((9, 9), (1, 9)), RuntimeError, "setStorage: sizes"),
        (lambda x: x.imag, RuntimeError, "imag is not implemented for tensors with non-complex dtypes."),
    ],
)
def test_refusals_have_torchs_words(x, call, error, message):
    with pytest.raises(error, match=message):
        call(x)


def test_complex_parts_are_views():
    z = torch.tensor([1 + 2j, 3 + 4j])
    z.real[0] = 9
    torch.view_as_real(z)[1, 1] = 7
    assert z.tolist() == [9 + 2j, 3 + 7j]
    assert torch.view_as_complex(torch.tensor([[1.0, 2.0]])).tolist() == [1 + 2j]


def test_bits_can_be_read_as_another_dtype():
    x = torch.tensor([1.0, -1.0])
    bits = x.view(torch.int32)
    assert bits.tolist() == [0x3F800000, 0x3F800000 - 2**31]
    bits[0] = 0
    assert x.tolist() == [0, -1]
    assert x.view(torch.uint8).shape == (8,)
    x.view(torch.uint8)[4:].fill_(0)
    assert (x.tolist(), bits.tolist()) == ([0, 0], [0, 0])
    pairs = torch.tensor([[0, 1065353216], [0, 1073741824]], dtype=torch.int32).view(torch.float32)
    assert pairs.t()[1].tolist() == [1, 2]
    wide = torch.zeros(3, 4, dtype=torch.int32)
    wide[1:, :2].view(torch.int64)[:, 0] = 2**32 + 5
    assert wide.tolist() == [[0, 0, 0, 0], [5, 1, 0, 0], [5, 1, 0, 0]]
    assert torch.tensor([True, False]).view(torch.uint8).tolist() == [1, 0]
    with pytest.raises(RuntimeError, match=r"self.storage_offset\(\) must be divisible by 2 to view Float as Double"):
        torch.zeros(9)[1:].view(torch.float64)


def test_scatters_of_parts_leave_the_input(x):
    assert torch.zeros(2, 2).diagonal_scatter(torch.ones(2)).tolist() == [[1, 0], [0, 1]]
    assert torch.zeros(3).slice_scatter(torch.ones(2), 0, 1).tolist() == [0, 1, 1]
    with pytest.raises(RuntimeError, match="expected src to have a size equal to the slice of self"):
        x.select_scatter(torch.ones(1), 0, 0)
