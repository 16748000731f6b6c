"""Whole training steps: forward, backward, optimizer; eagerly on numpy, as one program on jax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.case import Act, Group
from tests.benchmarks.groups import models

__all__ = ["STEPS", "training"]

STEPS: list[Group] = []


def training(torch: Any, model: Any, loss_of: Callable[[Any], Any], optimizer: Any) -> Act:
    """Returns a step that gives the loss. A library that compiles (``torch.compiled``) gets it as one program."""

    def step() -> object:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(step) if getattr(torch, "compiled", False) else step


def _step(name: str, numpy: float, jax: float) -> Callable[[Callable[[Any], Act]], None]:
    group = Group(f"step: {name}", {"numpy": numpy, "jax": jax})
    STEPS.append(group)
    return group.case(name, rtol=5e-3)


def _classes(torch: Any, n: int, of: int) -> Any:
    return torch.randint(0, of, (n,))


@_step("MLP 784-512-512-10, batch 128", 0.55, 0.5)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    x, y = torch.randn(128, 784), _classes(torch, 128, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training(torch, model, lambda m: nn.functional.cross_entropy(m(x), y), optimizer)


@_step("tiny MLP 2-16-1, batch 32", 0.5, 0.3)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return training(torch, model, lambda m: nn.functional.mse_loss(m(x), y), optimizer)


def _language(torch: Any, layers: int, width: int, heads: int, context: int, batch: int, vocabulary: int) -> Act:
    torch.manual_seed(0)
    model = models.gpt(torch)(vocabulary, context, layers, width, heads)
    tokens = torch.randint(0, vocabulary, (batch, context + 1))
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)

    def loss_of(m: Any) -> Any:
        return torch.nn.functional.cross_entropy(m(x).view(-1, vocabulary), y.view(-1))

    return training(torch, model, loss_of, optimizer)


@_step("GPT 4x128, 8 sequences of 64", 0.7, 0.75)
def _(torch: Any) -> Act:
    return _language(torch, 4, 128, 4, 64, 8, 65)


@_step("GPT 6x384, 4 sequences of 128", 0.6, 0.65)
def _(torch: Any) -> Act:
    return _language(torch, 6, 384, 6, 128, 4, 65)


@_step("LeNet, batch 64", 1.0, 1.0)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    model = models.lenet(torch)
    x, y = torch.randn(64, 1, 28, 28), _classes(torch, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training(torch, model, lambda m: torch.nn.functional.cross_entropy(m(x), y), optimizer)


@_step("ResNet-20, batch 32", 1.3, 1.3)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    model = models.resnet20(torch)()
    x, y = torch.randn(32, 3, 32, 32), _classes(torch, 32, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    return training(torch, model, lambda m: torch.nn.functional.cross_entropy(m(x), y), optimizer)


@_step("2-layer LSTM 128, 32 sequences of 35", 0.8, 0.6)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    model = models.word_model(torch)(1000, 128)
    tokens = torch.randint(0, 1000, (36, 32))
    x, y = tokens[:-1].contiguous(), tokens[1:].contiguous().view(-1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return training(torch, model, lambda m: torch.nn.functional.cross_entropy(m(x), y), optimizer)


@_step("embedding bag classifier, batch 64", 0.7, 0.65)
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    model = models.bag(torch)(5000, 64, 4)
    words = torch.randint(0, 5000, (64 * 40,))
    starts, y = torch.arange(0, 64 * 40, 40), _classes(torch, 64, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return training(torch, model, lambda m: torch.nn.functional.cross_entropy(m(words, starts), y), optimizer)
