"""The networks whose training steps are timed, for any torch module."""

from __future__ import annotations

from typing import Any

__all__ = ["bag", "gpt", "lenet", "resnet20", "word_model"]


def lenet(torch: Any) -> Any:
    """Returns LeNet-5 for 28x28 pictures of ten classes."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def gpt(torch: Any) -> Any:
    """Returns the class of a decoder as nanoGPT's: pre-norm, causal attention, exact gelu, tied embeddings."""
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # the module is only known when it runs
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(self.ln1(x)).split(c, dim=2)
            q, k, v = (s.view(b, t, self.heads, c // self.heads).transpose(1, 2) for s in (q, k, v))
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
            return x + self.out(nn.functional.gelu(self.fc(self.ln2(x))))

    class GPT(nn.Module):  # type: ignore[misc, name-defined]  # as above
        def __init__(self, vocabulary: int, context: int, layers: int, width: int, heads: int) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
            self.head.weight = self.tokens.weight

        def forward(self, x: Any) -> Any:
            h = self.tokens(x) * 0.1 + self.places(torch.arange(x.shape[1]))
            for block in self.blocks:
                h = block(h)
            return self.head(self.norm(h))

    return GPT


def resnet20(torch: Any) -> Any:
    """Returns the class of the 20-layer residual network for 32x32 pictures."""
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # as above
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            self.short: Any = nn.Identity()
            if stride != 1 or before != after:
                self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x: Any) -> Any:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.short(x))

    class ResNet(nn.Module):  # type: ignore[misc, name-defined]  # as above
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
            blocks, width = [], 16
            for stage, after in enumerate((16, 32, 64)):
                for i in range(3):
                    blocks.append(Block(width, after, 2 if stage and i == 0 else 1))
                    width = after
            self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.blocks(self.stem(x)).mean((2, 3)))

    return ResNet


def word_model(torch: Any) -> Any:
    """Returns the class of a two-layer LSTM over words."""
    nn = torch.nn

    class Words(nn.Module):  # type: ignore[misc, name-defined]  # as above
        def __init__(self, vocabulary: int, width: int) -> None:
            super().__init__()
            self.embed, self.lstm = nn.Embedding(vocabulary, width), nn.LSTM(width, width, 2)
            self.head = nn.Linear(width, vocabulary)

        def forward(self, x: Any) -> Any:
            h, _ = self.lstm(self.embed(x))
            return self.head(h).flatten(0, 1)

    return Words


def bag(torch: Any) -> Any:
    """Returns the class of a classifier over the mean of word vectors."""
    nn = torch.nn

    class Bag(nn.Module):  # type: ignore[misc, name-defined]  # as above
        def __init__(self, vocabulary: int, width: int, classes: int) -> None:
            super().__init__()
            self.bag, self.head = nn.EmbeddingBag(vocabulary, width, mode="mean"), nn.Linear(width, classes)

        def forward(self, words: Any, starts: Any) -> Any:
            return self.head(self.bag(words, starts))

    return Bag
