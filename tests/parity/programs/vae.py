"""A variational autoencoder of binary images: the trick of the noise, binary cross entropy and Kullback-Leibler."""

import torch
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    """An encoder to means and log variances, a decoder to pixels."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(196, 64)
        self.fc21 = nn.Linear(64, 8)
        self.fc22 = nn.Linear(64, 8)
        self.fc3 = nn.Linear(8, 64)
        self.fc4 = nn.Linear(64, 196)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 196))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    """Returns the bound on the likelihood, summed over pixels and batch."""
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 196), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


torch.manual_seed(1)
images = (torch.rand(256, 1, 14, 14) < torch.linspace(0.1, 0.9, 14)).float()
model = VAE()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    data = images[(step * 32) % 256 :][:32]
    optimizer.zero_grad()
    recon_batch, mu, logvar = model(data)
    loss = loss_function(recon_batch, data, mu, logvar)
    loss.backward()
    optimizer.step()
    print(f"{loss.item() / len(data):.6f}")
with torch.no_grad():
    sample = model.decode(torch.randn(4, 8)).view(4, 1, 14, 14)
print(f"{sample.mean().item():.6f}")
