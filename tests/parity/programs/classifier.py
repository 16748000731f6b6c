"""An ordinary PyTorch program: a classifier with dropout, a DataLoader that shuffles, Adadelta and a schedule."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """Two layers with dropout between."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        """Returns the logarithms of the classes' probabilities."""
        x = self.dropout(F.relu(self.fc1(torch.flatten(x, 1))))
        return F.log_softmax(self.fc2(x), dim=1)


torch.manual_seed(1)
x = torch.randn(256, 8, 8)
y = (x.sum((1, 2)) > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = Net()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
for _epoch in range(3):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        print(f"{loss.item():.6f}")
    scheduler.step()
model.eval()
with torch.no_grad():
    predicted = model(x).argmax(dim=1, keepdim=True)
print(predicted.eq(y.view_as(predicted)).sum().item())
