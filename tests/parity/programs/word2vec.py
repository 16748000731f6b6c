"""Words as vectors: skip-grams with negative samples and sparse gradients, and a text classifier of EmbeddingBag."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader


class SkipGram(nn.Module):
    """Two tables of vectors; the loss of a centre with its context and words that are not."""

    def __init__(self, words, channels):
        super().__init__()
        self.u_embeddings = nn.Embedding(words, channels, sparse=True)
        self.v_embeddings = nn.Embedding(words, channels, sparse=True)
        nn.init.uniform_(self.u_embeddings.weight.data, -1.0 / channels, 1.0 / channels)
        nn.init.constant_(self.v_embeddings.weight.data, 0)

    def forward(self, pos_u, pos_v, neg_v):
        emb_u, emb_v = self.u_embeddings(pos_u), self.v_embeddings(pos_v)
        score = F.logsigmoid(torch.clamp(torch.sum(emb_u * emb_v, dim=1), max=10, min=-10))
        negative = torch.bmm(self.v_embeddings(neg_v), emb_u.unsqueeze(2)).squeeze(2)
        negative = F.logsigmoid(-torch.clamp(negative, max=10, min=-10)).sum(1)
        return -torch.mean(score - -negative)


class TextClassificationModel(nn.Module):
    """Means of words' vectors, and a linear layer."""

    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        self.embedding.weight.data.uniform_(-0.5, 0.5)
        self.fc.weight.data.uniform_(-0.5, 0.5)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def collate_batch(batch):
    """Returns labels, all words in a row, and where each text begins."""
    labels, texts, offsets = [], [], [0]
    for label, text in batch:
        labels.append(label)
        texts.append(torch.tensor(text, dtype=torch.int64))
        offsets.append(len(text))
    return torch.tensor(labels), torch.cat(texts), torch.tensor(offsets[:-1]).cumsum(dim=0)


torch.manual_seed(5)
words = torch.cumsum(torch.randint(0, 5, (400,)), 0) % 40
counts = torch.bincount(words, minlength=40).float() ** 0.75
model = SkipGram(40, 12)
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.05)
for _step in range(20):
    places = torch.randint(2, 398, (32,))
    shifts = torch.randint(1, 3, (32,)) * (2 * torch.randint(0, 2, (32,)) - 1)
    negatives = torch.multinomial(counts, 32 * 4, replacement=True).view(32, 4)
    optimizer.zero_grad()
    loss = model(words[places], words[places + shifts], negatives)
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")

texts = []
for _i in range(160):
    label = int(torch.randint(0, 3, (1,)))
    length = int(torch.randint(3, 9, (1,)))
    texts.append((label, (torch.randint(0, 14, (length,)) + 12 * label).tolist()))
dataloader = DataLoader(texts, batch_size=8, shuffle=True, collate_fn=collate_batch)
classifier = TextClassificationModel(40, 16, 3)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(classifier.parameters(), lr=2.0)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1.0, gamma=0.1)
for label, text, offsets in dataloader:
    optimizer.zero_grad()
    loss = criterion(classifier(text, offsets), label)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(classifier.parameters(), 0.1)
    optimizer.step()
    print(f"{loss.item():.6f}")
scheduler.step()
print(optimizer.param_groups[0]["lr"])
