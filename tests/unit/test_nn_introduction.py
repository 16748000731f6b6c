"""The numbers of the introduction: an Embedding and a Linear after ``manual_seed(1)``, digit for digit."""

import copy
import pickle

import dispatchtorch as torch
from dispatchtorch import nn


def test_embedding_prints_the_introductions_numbers() -> None:
    torch.manual_seed(1)
    embed = nn.Embedding(num_embeddings=3, embedding_dim=5)
    assert repr(embed.weight) == (
        "Parameter containing:\n"
        "tensor([[ 0.6614,  0.2669,  0.0617,  0.6213, -0.4519],\n"
        "        [-0.1661, -1.5228,  0.3817, -1.0276, -0.5631],\n"
        "        [-0.8923, -0.0583, -0.1955, -0.9656,  0.4224]], requires_grad=True)"
    )
    assert repr(embed(torch.tensor([0], dtype=torch.int64))) == (
        "tensor([[ 0.6614,  0.2669,  0.0617,  0.6213, -0.4519]],\n       grad_fn=<EmbeddingBackward0>)"
    )


def test_linear_prints_the_introductions_numbers() -> None:
    torch.manual_seed(1)
    linear = nn.Linear(in_features=3, out_features=5)
    assert repr(linear.bias) == (
        "Parameter containing:\ntensor([-0.0520,  0.0837, -0.0023,  0.5047,  0.1797], requires_grad=True)"
    )
    assert repr(linear(torch.tensor([0.0, 1.0, 2.0]))) == (
        "tensor([-0.5307,  0.2326,  0.4519,  0.7218, -0.1295], grad_fn=<ViewBackward0>)"
    )
    assert repr(linear) == "Linear(in_features=3, out_features=5, bias=True)"


def test_from_pretrained_shares_the_table_and_does_not_train_it() -> None:
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    embed = nn.Embedding.from_pretrained(table)
    assert embed(torch.tensor([1])).tolist() == [[3.0, 4.0]]
    assert not embed.weight.requires_grad
    assert embed.weight.data_ptr() == table.data_ptr()


class WithBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight + self.steps


def test_a_buffer_moves_and_is_saved_but_is_no_parameter() -> None:
    module = WithBuffer()
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    assert list(module.state_dict()) == ["weight", "steps"]
    module(torch.ones(2)).sum().backward()
    assert module.steps.grad is None
    weight = module.weight
    module.to(torch.float64)
    assert module.steps.dtype is torch.float64
    assert module.weight is weight


def test_copies_keep_classes_and_values() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin[0].weight) is nn.Parameter
        assert twin[0].weight.tolist() == model[0].weight.tolist()
        assert twin[0].weight is not model[0].weight
