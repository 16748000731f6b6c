"""transformers: tiny GPT-2, BERT, Llama, T5 and ViT with random weights, trained; greedy, sampled, beam generation."""

import torch
import transformers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)

transformers.logging.set_verbosity_error()


def train(model, **batch):
    """Prints ten losses of a model that learns one batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(10):
        out = model(**batch)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        print(out.loss.item())


def generate(model, start, **how):
    """Prints six more tokens of the first row."""
    print(*model.generate(start, max_new_tokens=6, pad_token_id=63, **how)[0].tolist())


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = {"vocab_size": 64, "max_position_embeddings": 32}
ENDS = {"bos_token_id": 0, "eos_token_id": 63}

torch.manual_seed(0)
ids = torch.randint(0, 60, (2, 12))

torch.manual_seed(1)
gpt = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=32, n_layer=2, n_head=4, **ENDS))
train(gpt, input_ids=ids, labels=ids)
gpt.eval()
generate(gpt, ids[:1, :4], do_sample=False)
torch.manual_seed(5)
generate(gpt, ids[:1, :4], do_sample=True, top_k=10, top_p=0.9, temperature=0.8)
generate(gpt, ids[:1, :4], num_beams=3)

torch.manual_seed(2)
bert = BertForSequenceClassification(BertConfig(num_labels=3, **SIZES, **TEXT))
mask = torch.ones(2, 12).long()
mask[1, 8:] = 0
train(bert, input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 2]))

torch.manual_seed(3)
llama = LlamaForCausalLM(LlamaConfig(num_key_value_heads=2, **SIZES, **TEXT, **ENDS))
train(llama, input_ids=ids, labels=ids)
llama.eval()
generate(llama, ids[:, :4], do_sample=False)

torch.manual_seed(4)
shape = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
t5 = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **shape))
train(t5, input_ids=ids, labels=ids)

torch.manual_seed(6)
vit = ViTForImageClassification(ViTConfig(image_size=16, patch_size=4, num_labels=3, **SIZES))
train(vit, pixel_values=torch.randn(2, 3, 16, 16), labels=torch.tensor([0, 2]))
