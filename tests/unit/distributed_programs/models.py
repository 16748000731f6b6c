"""Small models, their data and a loop: what every kind of parallelism has to train to the same losses."""

import dispatchtorch as torch
from dispatchtorch import nn

F = nn.functional


class Perceptron(nn.Module):
    """Two linear layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x):
        """Returns scores."""
        return self.second(F.relu(self.first(x)))


class Convnet(nn.Module):
    """A convolution, batch normalization and a classifier."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4 * 9, 4)

    def forward(self, x):
        """Returns scores."""
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.out(x.flatten(1))


class Block(nn.Module):
    """A transformer's block with a classifier: attention of two heads and two linear layers, each after a norm."""

    def __init__(self, width=8, heads=4):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scores = nn.Linear(width, 4)

    def forward(self, x):
        """Returns scores of each sequence."""
        n, length, width = x.shape
        y = self.before(x)
        q, k, v = (f(y).reshape(n, length, -1, width // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(n, length, -1))
        x = x + self.down(F.gelu(self.up(self.between(x))))
        return self.scores(x.mean(1))


def made(kind):
    """Returns a model; the same at each call."""
    torch.manual_seed(0)
    return kind()


def batch(*shape):
    """Returns inputs and targets; the same at each call."""
    torch.manual_seed(1)
    return torch.randn(*shape), torch.randint(0, 4, shape[:1])


def losses(model, x, y, *, compiled=False, steps=5):
    """Returns the losses of a few steps, as tensors."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = torch.compile(step) if compiled else step
    found = [run(x, y).detach() for _ in range(steps)]
    if compiled:
        assert run.counts.traces == 1, run.counts
        assert run.counts.runs == steps, run.counts
    return found


def same(found, expected):
    """Asserts that losses are those of one device, and that they fall."""
    numbers = [float(loss) for loss in found]
    reference = [float(loss) for loss in expected]
    assert all(abs(a - b) < 2e-5 for a, b in zip(numbers, reference, strict=True)), (numbers, reference)
    assert reference[-1] < reference[0]
