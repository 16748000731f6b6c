"""einops: functions, packing, and its layers in a model that is trained."""

import torch
from einops import asnumpy, einsum, pack, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce
from torch import nn

torch.manual_seed(0)
x = torch.randn(2, 3, 8, 8, requires_grad=True)
print(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2).sum(2).pow(2).sum().item())
print(reduce(x, "b c (h p) (w q) -> b c h w", "max", p=2, q=2).sum().item())
print(reduce(x, "b c h w -> c", "mean").pow(2).sum().item(), repeat(x, "b c h w -> b (r c) h w", r=2).shape.numel())
print(einsum(x, x, "b c h w, b d h w -> b c d").sum().item())
packed, shapes = pack([x, torch.randn(2, 5, 8, 8)], "b * h w")
print(packed.shape[1], unpack(packed, shapes, "b * h w")[1].shape[1])

net = nn.Sequential(
    Rearrange("b c (h p) (w q) -> b (h w) (c p q)", p=4, q=4),
    nn.Linear(48, 16),
    nn.GELU(),
    EinMix("b t c -> b t d", weight_shape="c d", bias_shape="d", c=16, d=8),
    Reduce("b t d -> b d", "mean"),
    nn.Linear(8, 2),
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
data, labels = torch.randn(16, 3, 8, 8), torch.randint(0, 2, (16,))
for _ in range(20):
    loss = nn.functional.cross_entropy(net(data), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
print(asnumpy(data.detach()).sum())
