"""Super-resolution with sub-pixel convolution: orthogonal weights, PixelShuffle, mean squared error."""

from math import log10

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
import torch.optim as optim


class Net(nn.Module):
    """Three convolutions and one that makes the sub-pixels."""

    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


torch.manual_seed(123)
rows = torch.linspace(0, 6, 24)
phase = torch.rand(40, 1, 1, 1) * 6
targets = torch.sin(rows.view(-1, 1) + phase) * torch.cos(rows * 1.5 - phase)
inputs = F.interpolate(targets, scale_factor=0.5, mode="bicubic", align_corners=False)
model = Net(upscale_factor=2)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    batch = slice((step % 5) * 8, (step % 5) * 8 + 8)
    optimizer.zero_grad()
    loss = criterion(model(inputs[batch]), targets[batch])
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
with torch.no_grad():
    mse = criterion(model(inputs), targets)
    print(f"{10 * log10(1 / mse.item()):.5f}")
