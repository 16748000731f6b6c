"""REINFORCE: a policy for a cart with a pole, actions drawn from a Categorical; the cart is simulated here."""

import math
from collections import deque
from itertools import count

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical


class Cart:
    """A cart that carries a pole; stepped with Euler's rule."""

    def reset(self):
        self.state = [0.02, -0.01, 0.03, 0.01]
        return torch.tensor(self.state)

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        force = 10.0 if action == 1 else -10.0
        temp = (force + 0.05 * theta_dot**2 * math.sin(theta)) / 1.1
        acc = (9.8 * math.sin(theta) - math.cos(theta) * temp) / (0.5 * (4.0 / 3.0 - 0.1 * math.cos(theta) ** 2 / 1.1))
        x_acc = temp - 0.05 * acc * math.cos(theta) / 1.1
        self.state = [x + 0.02 * x_dot, x_dot + 0.02 * x_acc, theta + 0.02 * theta_dot, theta_dot + 0.02 * acc]
        done = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095
        return torch.tensor(self.state), 1.0, done


class Policy(nn.Module):
    """Two linear layers with dropout between."""

    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 32)
        self.dropout = nn.Dropout(p=0.6)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.affine2(x), dim=1)


def select_action(state):
    """Returns an action that was drawn, and keeps the logarithm of its probability."""
    m = Categorical(policy(state.float().unsqueeze(0)))
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode():
    """Takes a step along the returns of one episode and prints the loss."""
    returns, total = deque(), 0.0
    for r in policy.rewards[::-1]:
        total = r + 0.99 * total
        returns.appendleft(total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    policy_loss = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    print(f"{policy_loss.item():.5f}")
    del policy.rewards[:]
    del policy.saved_log_probs[:]


torch.manual_seed(543)
env, policy = Cart(), Policy()
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
eps = torch.finfo(torch.float32).eps
for _episode in range(20):
    state = env.reset()
    for t in count(1):
        state, reward, done = env.step(select_action(state))
        policy.rewards.append(reward)
        if done or t >= 60:
            break
    print(t)
    finish_episode()
