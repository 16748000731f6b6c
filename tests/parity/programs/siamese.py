"""A siamese network: one body for two images, their vectors side by side, and whether they show the same."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Matcher(Dataset):
    """Pairs of images, of one class or of two."""

    def __init__(self, count):
        prototypes = torch.randn(5, 1, 20, 20)
        self.classes = torch.randint(0, 5, (count, 2))
        self.classes[::2, 1] = self.classes[::2, 0]
        self.images = prototypes[self.classes] + 0.5 * torch.randn(count, 2, 1, 20, 20)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        same = (self.classes[index, 0] == self.classes[index, 1]).float()
        return self.images[index, 0], self.images[index, 1], same


class SiameseNetwork(nn.Module):
    """A convolutional body twice, and a head."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.fc = nn.Sequential(nn.Linear(256, 32), nn.ReLU(inplace=True), nn.Linear(32, 1))
        self.sigmoid = nn.Sigmoid()
        self.body.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.body(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output = torch.cat((self.forward_once(input1), self.forward_once(input2)), 1)
        return self.sigmoid(self.fc(output))


torch.manual_seed(1)
train_loader = DataLoader(Matcher(160), batch_size=16, shuffle=True, drop_last=True)
model = SiameseNetwork()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
criterion = nn.BCELoss()
triplet = nn.TripletMarginLoss(margin=1.0)
for _epoch in range(2):
    for images_1, images_2, targets in train_loader:
        optimizer.zero_grad()
        outputs = model(images_1, images_2).squeeze()
        a, b = model.forward_once(images_1), model.forward_once(images_2)
        loss = criterion(outputs, targets) + 0.1 * triplet(a, b, b.roll(1, 0))
        loss.backward()
        optimizer.step()
        print(f"{loss.item():.6f}")
    scheduler.step()
