"""A classifier of handwritten digits, trained as any PyTorch program would train it.

Change the imports of this file to PyTorch's own and it runs there, with the same losses: that is how the curve in the
tests was recorded. It must not know backends; whoever calls `train` has chosen one.
"""

# The facade's names come from the op table when it is imported; a type checker does not see them without the stub.
# mypy: disable-error-code="attr-defined,name-defined,operator"

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.utils.data import DataLoader, TensorDataset, random_split

__all__ = ["DATA", "Result", "train"]

DATA = Path(__file__).with_name("digits.csv.gz")
TEST_SHARE = 0.2


class Result(NamedTuple):
    """What came of a training: the mean loss of each epoch, and how many of the unseen digits were read correctly."""

    losses: list[float]
    correct: int
    unseen: int

    @property
    def accuracy(self) -> float:
        """Returns the share of correct answers."""
        return self.correct / self.unseen


def load(path: Path = DATA) -> TensorDataset:
    """Returns the digits as rows of 64 numbers of [0, 1], with their labels."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        rows = torch.tensor([[int(cell) for cell in line.split(",")] for line in file])
    return TensorDataset(rows[:, :-1].float() / 16, rows[:, -1].clone())


def make_model() -> nn.Module:
    """Returns an untrained network with one hidden layer."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))


def train(
    *,
    epochs: int = 15,
    batch_size: int = 32,
    lr: float = 0.003,
    seed: int = 0,
    on_batch: Callable[[], None] = lambda: None,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Result:
    """Returns the loss of each epoch and the accuracy on a fifth of the digits, which training never sees.

    ``on_batch()`` is called after each step, ``on_epoch(number, loss)`` after each epoch.
    """
    torch.manual_seed(seed)
    digits = load()
    known, unseen = random_split(digits, [1 - TEST_SHARE, TEST_SHARE])
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for images, labels in DataLoader(known, batch_size, shuffle=True):
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            on_batch()
        losses.append(total / len(known))
        on_epoch(epoch, losses[-1])
    model.eval()
    with torch.no_grad():
        images, labels = next(iter(DataLoader(unseen, len(unseen))))
        correct = int((model(images).argmax(1) == labels).sum())
    return Result(losses, correct, len(unseen))


def batches(epochs: int, batch_size: int) -> int:
    """Returns how many steps a training takes."""
    with gzip.open(DATA, "rt", encoding="ascii") as file:
        count = sum(1 for _ in file)
    known = count - int(count * TEST_SHARE)
    return epochs * -(-known // batch_size)
