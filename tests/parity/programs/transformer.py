"""An ordinary PyTorch program: a small causal transformer with dropout, AdamW and clipped gradients."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyGPT(nn.Module):
    """Token and place embeddings, two layers, a head without bias."""

    def __init__(self, vocabulary=32, channels=32, length=16):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, channels)
        self.places = nn.Embedding(length, channels)
        layers = [nn.TransformerEncoderLayer(channels, 4, 64, 0.1, batch_first=True) for _ in range(2)]
        self.blocks = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, vocabulary, bias=False)

    def forward(self, index):
        """Returns the logits of the next token at each place."""
        length = index.shape[1]
        hidden = self.tokens(index) + self.places(torch.arange(length, device=index.device))
        mask = torch.triu(torch.full((length, length), float("-inf")), diagonal=1)
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask)
        return self.head(self.norm(hidden))


torch.manual_seed(2)
model = TinyGPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _step in range(20):
    index = torch.randint(0, 32, (4, 16))
    logits = model(index)
    loss = F.cross_entropy(logits[:, :-1].reshape(-1, 32), index[:, 1:].reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(f"{loss.item():.6f} {norm.item():.6f}")
