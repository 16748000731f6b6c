"""Sparse tensors in coordinate format: values, printing, gradients, errors; expectations are PyTorch's."""

from __future__ import annotations

import copy
import io

import pytest

import dispatchtorch as torch


@pytest.fixture(params=["numpy", "jax"], autouse=True)
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


def graph(values=(3.0, 4.0, 5.0), **options):
    return torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], torch.tensor(values), (2, 3), **options)


def test_is_what_its_coordinates_say():
    s = graph()
    assert s.to_dense().tolist() == [[0.0, 0.0, 3.0], [4.0, 0.0, 5.0]]
    assert (s.layout, s.is_sparse, s._nnz(), s.sparse_dim(), s.dense_dim()) == (torch.sparse_coo, True, 3, 2, 0)
    assert isinstance(s, torch.Tensor)
    assert s.shape == (2, 3)
    assert s.numel() == 6
    assert not s.is_coalesced()
    again = s.to_dense().to_sparse()
    assert again.is_coalesced()
    assert again.indices().tolist() == [[0, 1, 1], [2, 0, 2]]


def test_prints_as_pytorch_does():
    s = graph()
    assert repr(s) == (
        "tensor(indices=tensor([[0, 1, 1],\n"
        "                       [2, 0, 2]]),\n"
        "       values=tensor([3., 4., 5.]),\n"
        "       size=(2, 3), nnz=3, layout=torch.sparse_coo)"
    )
    assert repr(torch.sparse_coo_tensor((2, 3))) == (
        "tensor(indices=tensor([], size=(2, 0)),\n"
        "       values=tensor([], size=(0,)),\n"
        "       size=(2, 3), nnz=0, layout=torch.sparse_coo)"
    )
    assert repr(s.double()).endswith("size=(2, 3), nnz=3, dtype=torch.float64, layout=torch.sparse_coo)")
    assert repr(graph(requires_grad=True)).endswith("nnz=3, layout=torch.sparse_coo, requires_grad=True)")


def test_values_at_one_place_add_up():
    s = torch.sparse_coo_tensor([[1, 0, 1]], [1.0, 2.0, 3.0])
    with pytest.raises(RuntimeError, match="Cannot get values on an uncoalesced tensor"):
        s.values()
    c = s.coalesce()
    assert (c.indices().tolist(), c.values().tolist()) == ([[0, 1]], [2.0, 4.0])
    assert c.coalesce() is c


def test_shares_the_memory_of_its_values():
    v = torch.tensor([3.0, 4.0, 5.0])
    s = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], v, (2, 3))
    s._values().mul_(2)
    assert v.tolist() == [6.0, 8.0, 10.0]


@pytest.mark.parametrize(
    ("indices", "values", "size", "message"),
    [
        ([0, 1], [1, 2], (2, 3), "indices must be sparse_dim x nnz, but got: [2]"),
        ([[0, 1]], [1, 2, 3], (2,), "nnz from indices: 2, nnz from values: 3"),
        ([[0, 1]], [1, 2], (2, 3), "len(size) = 2, sparse_dim = 1, dense_dim = 0"),
        ([[0, 1], [1, 5]], [1, 2], (2, 3), "for dim 1, size is 3 but found index 5"),
        ([[0, 1], [1, -1]], [1, 2], (2, 3), "found negative index -1 for dim 1"),
    ],
)
def test_what_does_not_fit_is_refused(indices, values, size, message):
    with pytest.raises(RuntimeError) as error:
        torch.sparse_coo_tensor(indices, values, size, check_invariants=True)
    assert message in str(error.value)


def test_products():
    s, w = graph(), torch.arange(12.0).reshape(3, 4)
    expected = [[24.0, 27.0, 30.0, 33.0], [40.0, 49.0, 58.0, 67.0]]
    for out in (s @ w, torch.mm(s, w), torch.spmm(s, w), torch.sparse.mm(s, w), s.matmul(w), (w.t() @ s.t()).t()):
        assert out.layout is torch.strided
        assert out.tolist() == expected
    assert torch.mv(s, torch.ones(3)).tolist() == [3.0, 9.0]
    assert torch.sparse.addmm(torch.ones(2, 4), s, w, beta=2, alpha=3)[0].tolist() == [74.0, 83.0, 92.0, 101.0]
    square = s @ s.t()
    assert square.is_sparse
    assert square.to_dense().tolist() == [[9.0, 15.0], [15.0, 41.0]]
    with pytest.raises(RuntimeError, match=r"addmm: Argument #3 \(dense\): Expected dim 0 size 3, got 4"):
        torch.mm(s, torch.ones(4, 2))


def test_long_rows_and_unsorted_ones():
    rows = torch.tensor([0] * 40 + [2, 1, 0])
    columns = torch.tensor([*range(40), 0, 1, 40])
    s = torch.sparse_coo_tensor(torch.stack([rows, columns]), torch.ones(43), (4, 41))
    assert (s @ torch.ones(41, 2)).tolist() == [[41.0, 41.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]


def test_sums_and_products_by_element():
    s, d = graph(), torch.arange(6.0).reshape(2, 3)
    assert (s + s).to_dense().tolist() == [[0.0, 0.0, 6.0], [8.0, 0.0, 10.0]]
    assert (d + s).tolist() == [[0.0, 1.0, 5.0], [7.0, 4.0, 10.0]]
    assert (d - s).tolist() == [[0.0, 1.0, -1.0], [-1.0, 4.0, 0.0]]
    assert (s * d)._values().tolist() == [6.0, 12.0, 25.0]
    assert (s * s / 2)._values().tolist() == [4.5, 8.0, 12.5]
    assert (-s)._values().tolist() == [-3.0, -4.0, -5.0]
    assert d.add_(s, alpha=2).tolist() == [[0.0, 1.0, 8.0], [11.0, 4.0, 15.0]]
    with pytest.raises(RuntimeError, match=r"add\(sparse, dense\) is not supported"):
        torch.add(s, d)
    with pytest.raises(NotImplementedError, match="Could not run 'aten::exp' with arguments from the 'SparseCPU'"):
        s.exp()


def test_reductions():
    s = graph()
    assert torch.sparse.sum(s).item() == 12.0
    assert torch.sparse.sum(s, 0).to_dense().tolist() == [4.0, 0.0, 8.0]
    assert s.sum(1, keepdim=True).to_dense().tolist() == [[3.0], [9.0]]
    assert torch.sparse.softmax(s, 1).values().tolist() == pytest.approx([1.0, 0.26894143, 0.73105857])
    assert torch.sparse.log_softmax(s, 1).values().tolist() == pytest.approx([0.0, -1.3132616, -0.3132617])


def test_shapes():
    s = graph()
    assert s.t()._indices().tolist() == [[2, 0, 2], [0, 1, 1]]
    assert torch.cat([s, s])._indices().tolist() == [[0, 1, 1, 2, 3, 3], [2, 0, 2, 2, 0, 2]]
    assert torch.stack([s, s]).shape == (2, 2, 3)
    assert s.index_select(1, torch.tensor([2, 2])).to_dense().tolist() == [[3.0, 3.0], [5.0, 5.0]]
    assert s[1].to_dense().tolist() == [4.0, 0.0, 5.0]
    assert s[1, 2].item() == 5.0
    assert s.unsqueeze(0).shape == (1, 2, 3)


def test_gradients_reach_values_dense_factors_and_sparse_leaves():
    v = torch.tensor([3.0, 4.0, 5.0], requires_grad=True)
    w = torch.arange(12.0).reshape(3, 4).requires_grad_()
    s = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], v, (2, 3))
    ((s @ w) ** 2).sum().backward()
    assert v.grad.tolist() == [2196.0, 732.0, 4156.0]
    assert w.grad.tolist() == [[320.0, 392.0, 464.0, 536.0], [0.0] * 4, [544.0, 652.0, 760.0, 868.0]]
    leaf = graph(requires_grad=True)
    torch.sparse.mm(leaf, w.detach()).sum().backward()
    assert leaf.grad.is_sparse
    assert leaf.grad._values().tolist() == [38.0, 6.0, 38.0]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda s: s.coalesce().values(), [6.0, 8.0, 10.0]),
        (lambda s: torch.sparse.sum(s, 0), [16.0, 8.0, 16.0]),
        (lambda s: torch.sparse.softmax(s, 1), [0.0, -0.1817, 0.1817]),
        (lambda s: s * s, [108.0, 256.0, 500.0]),
        (lambda s: torch.sparse.mm(s, s.t()), [408.0, 656.0, 1000.0]),
        (lambda s: s * 2 + s.t().t(), [54.0, 72.0, 90.0]),
    ],
)
def test_gradients_through(function, expected):
    v = torch.tensor([3.0, 4.0, 5.0], requires_grad=True)
    out = function(torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], v, (2, 3)))
    (out.to_dense() ** 2).sum().backward()
    assert v.grad.tolist() == pytest.approx(expected, abs=1e-3)


def test_an_embeddings_gradient_is_sparse_and_adds_up():
    table = torch.nn.Embedding(5, 2, sparse=True, padding_idx=3)
    table(torch.tensor([1, 1, 3, 4])).sum().backward()
    assert table.weight.grad._indices().tolist() == [[1, 1, 4]]
    table(torch.tensor([0, 4])).sum().backward()
    assert table.weight.grad.to_dense()[:, 0].tolist() == [1.0, 2.0, 0.0, 0.0, 2.0]
    table.weight.sum().backward()
    assert not table.weight.grad.is_sparse
    assert table.weight.grad[:, 0].tolist() == [2.0, 3.0, 1.0, 1.0, 3.0]


def _trained(make):
    p = torch.nn.Parameter(torch.ones(5, 2))
    optimizer = make([p])
    for ids in ([1, 1, 4], [0, 4], [4, 4]):
        optimizer.zero_grad()
        (torch.nn.functional.embedding(torch.tensor(ids), p, sparse=True) ** 2).sum().backward()
        optimizer.step()
    return p[:, 0].tolist()


def test_optimizers_that_take_sparse_gradients():
    adam = _trained(lambda p: torch.optim.SparseAdam(p, lr=0.1))
    assert adam == pytest.approx([0.92558634, 0.9, 1.0, 1.0, 0.70198655])
    assert _trained(lambda p: torch.optim.SGD(p, lr=0.1)) == pytest.approx([0.8, 0.6, 1.0, 1.0, 0.384])
    assert _trained(lambda p: torch.optim.Adagrad(p, lr=0.1)) == pytest.approx([0.9, 0.9, 1.0, 1.0, 0.7553], abs=1e-4)
    with pytest.raises(RuntimeError, match="Adam does not support sparse gradients, please consider SparseAdam"):
        _trained(lambda p: torch.optim.Adam(p))
    with pytest.raises(RuntimeError, match="RMSprop does not support sparse gradients"):
        _trained(lambda p: torch.optim.RMSprop(p))


def test_sparse_adam_refuses_what_pytorch_refuses():
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients, please consider Adam"):
        torch.optim.SparseAdam([p]).step()
    with pytest.raises(ValueError, match="SparseAdam requires dense parameter tensors"):
        torch.optim.SparseAdam([torch.ones(2).to_sparse()])


def test_buffers_are_saved_copied_and_cast():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("graph", graph())
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x):
            return torch.spmm(self.graph, self.layer(x))

    net = Net()
    stream = io.BytesIO()
    torch.save(net.state_dict(), stream)
    stream.seek(0)
    other = copy.deepcopy(net)
    other.graph.zero_()
    other.load_state_dict(torch.load(stream))
    x = torch.ones(3, 4)
    assert torch.equal(other(x), net(x))
    assert other.double().graph.dtype is torch.float64


def test_the_old_classes_make_them():
    i, v = torch.tensor([[0, 1, 1], [2, 0, 2]]), torch.tensor([3.0, 4.0, 5.0])
    s = torch.sparse.FloatTensor(i, v, torch.Size([2, 3]))
    assert s.to_dense().tolist() == graph().to_dense().tolist()
    assert torch.sparse.FloatTensor(2, 3)._nnz() == 0
    assert isinstance(s, torch.sparse.FloatTensor)


def test_other_layouts_are_refused_in_words():
    for make in (
        lambda: torch.ones(2, 2).to_sparse_csr(),
        lambda: torch.zeros(2, 2, layout=torch.sparse_csr),
        lambda: torch.sparse_csr_tensor([0, 1], [0], [1.0]),
    ):
        with pytest.raises(NotImplementedError, match=r"torch\.sparse_coo"):
            make()
    with pytest.raises(TypeError, match=r"can't convert Sparse layout tensor to numpy. Use Tensor.to_dense\(\) first"):
        graph().numpy()
