"""The core ideas in five seconds, on the smallest install: no oracle, no optional library, no files."""

import subprocess
import sys

import pytest

import dispatchtorch as torch


def test_tensors_compute_and_print():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert ((x + 1) @ x).tolist() == [[11.0, 16.0], [19.0, 28.0]]
    assert repr(x.sum()) == "tensor(10.)"
    assert (torch.tensor([1, 2]) * 0.5).dtype is torch.float32


def test_a_write_through_a_view_reaches_the_base_and_its_history():
    a = torch.ones(3, requires_grad=True)
    b = a * 2
    pointer = b.storage().data_ptr()
    b[0].mul_(5)
    b.sum().backward()
    assert a.grad.tolist() == [10.0, 2.0, 2.0]
    assert b.storage().data_ptr() == b[1:].storage().data_ptr() == pointer


def test_gradients_of_gradients():
    x = torch.tensor(2.0, requires_grad=True)
    (g,) = torch.autograd.grad(x * x * x, x, create_graph=True)
    (gg,) = torch.autograd.grad(g, x)
    assert (g.item(), gg.item()) == (12.0, 12.0)


def test_a_seed_gives_torchs_numbers():
    torch.manual_seed(1)
    assert [round(v, 4) for v in torch.randn(3).tolist()] == [0.6614, 0.2669, 0.0617]


def test_mistakes_are_torchs_and_change_nothing():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match=r"The size of tensor a \(2\) must match the size of tensor b \(3\)"):
        x + torch.ones(3)
    assert x.tolist() == [1.0, 1.0]


def test_a_layer_learns():
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(2, 1), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = torch.tensor([[1.0], [2.0], [3.0]])
    losses = []
    for _ in range(50):
        loss = ((layer(x) - y) ** 2).sum()
        losses.append(loss.item())
        layer.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in layer.parameters():
                p -= 0.1 * p.grad
    assert losses[-1] < losses[0] / 100


def test_import_loads_no_optional_library():
    code = "import sys, dispatchtorch; print([m for m in ('jax', 'cupy', 'torch') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_backend_is_chosen_by_name():
    with torch.use_backend("numpy"):
        assert torch.ones(1).backend == "numpy"
    with pytest.raises(Exception, match="nowhere"):
        torch.use_backend("nowhere").__enter__()
