"""Actor and critic with one body: two heads, smooth L1 for the critic; a walk on a line is simulated here."""

from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])


class Policy(nn.Module):
    """Gives probabilities of actions and the value of a state."""

    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 32)
        self.action_head = nn.Linear(32, 2)
        self.value_head = nn.Linear(32, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def select_action(state):
    """Returns an action that was drawn, and keeps what the loss needs."""
    probs, state_value = model(state)
    m = Categorical(probs)
    action = m.sample()
    model.saved_actions.append(SavedAction(m.log_prob(action), state_value))
    return action.item()


def finish_episode():
    """Takes a step along the advantages of one episode and prints the loss."""
    total, returns, policy_losses, value_losses = 0, [], [], []
    for r in model.rewards[::-1]:
        total = r + 0.99 * total
        returns.insert(0, total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-7)
    for (log_prob, value), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.5f}")
    del model.rewards[:]
    del model.saved_actions[:]


torch.manual_seed(7)
model = Policy()
optimizer = optim.Adam(model.parameters(), lr=3e-2)
for _episode in range(20):
    place, speed = 0.0, 0.5
    for t in range(25):
        state = torch.tensor([place, speed, t / 25.0, 1.0])
        speed = 0.9 * speed + (0.1 if select_action(state) == 1 else -0.1)
        place += speed
        model.rewards.append(-abs(place))
    finish_episode()
