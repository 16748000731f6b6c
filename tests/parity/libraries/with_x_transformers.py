"""x-transformers: a decoder with rotary places trained and sampled; encoder, vision and encoder-decoder models."""

import torch
from x_transformers import (
    AutoregressiveWrapper,
    Decoder,
    Encoder,
    TransformerWrapper,
    ViTransformerWrapper,
    XTransformer,
)

torch.manual_seed(0)
layers = Decoder(dim=32, depth=2, heads=4, rotary_pos_emb=True, attn_dim_head=8)
model = AutoregressiveWrapper(TransformerWrapper(num_tokens=32, max_seq_len=16, attn_layers=layers))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(20):
    loss = model(torch.randint(0, 32, (4, 17)))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    print(loss.item())
model.eval()
torch.manual_seed(3)
print(*model.generate(torch.zeros(1, 1).long(), 8)[0].tolist())

torch.manual_seed(1)
layers = Encoder(
    dim=32, depth=2, heads=4, ff_glu=True, use_rmsnorm=True, alibi_pos_bias=True, attn_flash=True, attn_dim_head=8
)
encoder = TransformerWrapper(num_tokens=32, max_seq_len=16, attn_layers=layers)
print(encoder(torch.randint(0, 32, (2, 16)), mask=torch.ones(2, 16).bool()).pow(2).mean().item())

torch.manual_seed(2)
layers = Encoder(dim=32, depth=1, heads=4, attn_dim_head=8)
vision = ViTransformerWrapper(image_size=16, patch_size=4, num_classes=5, attn_layers=layers)
print(vision(torch.randn(2, 3, 16, 16)).sum().item())

side = {"num_tokens": 32, "depth": 1, "heads": 4, "max_seq_len": 16}
sides = {f"{name}_{key}": value for name in ("enc", "dec") for key, value in side.items()}
pair = XTransformer(dim=32, tie_token_emb=True, **sides)
loss = pair(torch.randint(0, 32, (2, 16)), torch.randint(0, 32, (2, 16)), mask=torch.ones(2, 16).bool())
loss.backward()
print(loss.item())
