"""torchdiffeq: ten solvers, a neural equation trained with and without the adjoint, the time of an event."""

import torch
from torch import nn
from torchdiffeq import odeint, odeint_adjoint, odeint_event

ADAPTIVE = ["dopri5", "bosh3", "adaptive_heun", "dopri8", "fehlberg2"]
FIXED = {"rk4": {}, "euler": {}, "midpoint": {}, "explicit_adams": {"max_order": 4}, "implicit_adams": {"max_order": 4}}
A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])


class Spiral(nn.Module):
    def forward(self, t, y):
        return torch.mm(y**3, A)


class Ball(nn.Module):
    def forward(self, t, state):
        _, speed = state
        return speed, torch.full_like(speed, -9.8)


class Learnt(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 2))
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, mean=0, std=0.1)
                nn.init.constant_(layer.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


start, times = torch.tensor([[2.0, 0.0]]), torch.linspace(0.0, 3.0, 30)
with torch.no_grad():
    for method in ADAPTIVE:
        print(odeint(Spiral(), start, times, method=method).sum().item())
    for method, options in FIXED.items():  # nearer to the middle, where the spiral is not too steep for them
        print(odeint(Spiral(), start / 4, times, method=method, options=options).sum().item())
    true = odeint(Spiral(), start, times)

for solve in (odeint, odeint_adjoint):
    torch.manual_seed(1)
    model = Learnt()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for _ in range(10):
        begin = torch.randint(0, 20, (4,))
        wanted = torch.stack([true[begin + step] for step in range(5)], dim=0)
        loss = torch.mean(torch.abs(solve(model, true[begin], times[:5]) - wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())

fall = (torch.tensor([10.0]), torch.tensor([0.0]))
print(odeint_event(Ball(), fall, torch.tensor(0.0), event_fn=lambda t, state: state[0])[0].item())
