"""Own parts: an activation with a frequency, an autograd.Function, hooks, parametrised layers, a checkpoint."""

import copy
import io

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm


class Snake(nn.Module):
    """x + sin(a x)^2 / a, with an `a` for each feature."""

    def __init__(self, in_features, alpha=1.0):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(in_features) + alpha)

    def forward(self, x):
        return x + (1.0 / (self.alpha + 1e-9)) * torch.pow(torch.sin(x * self.alpha), 2)


class Legendre(torch.autograd.Function):
    """The third Legendre polynomial, with its derivative by hand."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Symmetric(nn.Module):
    """Makes a square matrix symmetric."""

    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)


class Net(nn.Module):
    """All of these in a row."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(1, 16), Snake(16, 3.0), nn.Linear(16, 16), Snake(16))
        parametrize.register_parametrization(self.inner[2], "weight", Symmetric())
        self.outer = weight_norm(nn.Linear(16, 1))

    def forward(self, x):
        return self.outer(self.inner(x) + 0.1 * Legendre.apply(torch.tanh(x)))


torch.manual_seed(11)
x = torch.linspace(-3, 3, 64).unsqueeze(1)
y = torch.sin(2 * x) + 0.3 * x
net = Net()
norms = []
net.outer.register_full_backward_hook(lambda m, gi, go: norms.append(go[0].norm().item()))
averaged = torch.optim.swa_utils.AveragedModel(net)
optimizer = torch.optim.NAdam(net.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=20)
for step in range(20):
    optimizer.zero_grad()
    loss = nn.functional.huber_loss(net(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()
    averaged.update_parameters(net)
    print(f"{loss.item():.6f} {norms[-1]:.6f}")
    if step == 9:
        file = io.BytesIO()
        torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        state = torch.load(file)
        net.load_state_dict(state["model"])
        optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
print(f"{nn.functional.mse_loss(averaged(x), y).item():.6f}")
