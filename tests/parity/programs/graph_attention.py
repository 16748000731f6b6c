"""A graph attention network: attention over neighbours with masks, many heads, and edges by scatter."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam


class GraphAttentionLayer(nn.Module):
    """Attention of each node to its neighbours, in several heads."""

    def __init__(self, in_features, out_features, n_heads, concat=False, dropout=0.4, leaky_relu_slope=0.2):
        super().__init__()
        self.n_heads, self.concat, self.dropout = n_heads, concat, dropout
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(leaky_relu_slope)
        self.softmax = nn.Softmax(dim=1)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def _get_attention_scores(self, h):
        source_scores = torch.matmul(h, self.a[:, : self.n_hidden, :])
        target_scores = torch.matmul(h, self.a[:, self.n_hidden :, :])
        return self.leakyrelu(source_scores + target_scores.mT)

    def forward(self, h, adj_mat):
        n_nodes = h.shape[0]
        h = torch.mm(h, self.W)
        h = F.dropout(h, self.dropout, training=self.training)
        h = h.view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        e = self._get_attention_scores(h)
        attention = torch.where(adj_mat > 0, e, -9e16 * torch.ones_like(e))
        attention = F.dropout(F.softmax(attention, dim=-1), self.dropout, training=self.training)
        h_prime = torch.matmul(attention, h)
        if self.concat:
            return h_prime.permute(1, 0, 2).contiguous().view(n_nodes, self.n_hidden * self.n_heads)
        return h_prime.mean(dim=0)


class GAT(nn.Module):
    """Two attention layers."""

    def __init__(self, in_features, n_hidden, n_heads, num_classes):
        super().__init__()
        self.gat1 = GraphAttentionLayer(in_features, n_hidden, n_heads, concat=True)
        self.gat2 = GraphAttentionLayer(n_hidden, num_classes, n_heads=1)

    def forward(self, x, adj_mat):
        return F.log_softmax(self.gat2(F.elu(self.gat1(x, adj_mat)), adj_mat), dim=1)


class MessagePassing(nn.Module):
    """Sums, means and maxima of what comes along edges."""

    def __init__(self, channels):
        super().__init__()
        self.message = nn.Linear(2 * channels, channels)
        self.update = nn.GRUCell(3 * channels, channels)

    def forward(self, x, edges):
        source, target = edges
        m = F.silu(self.message(torch.cat([x[source], x[target]], dim=-1)))
        where = target.unsqueeze(-1).expand_as(m)
        total = torch.zeros_like(x).scatter_add_(0, where, m)
        mean = torch.zeros_like(x).scatter_reduce_(0, where, m, reduce="mean", include_self=False)
        most = torch.zeros_like(x).scatter_reduce(0, where, m, reduce="amax", include_self=False)
        count = torch.zeros(x.size(0)).index_add_(0, target, torch.ones(target.numel())).clamp_(min=1).unsqueeze(1)
        return self.update(torch.cat([total / count.sqrt(), mean, most], 1), x)


torch.manual_seed(13)
labels = torch.arange(60) % 3
edges = torch.randint(0, 60, (2, 240))
edges[1, ::2] = (edges[0, ::2] + 3 * torch.randint(1, 6, (120,))) % 60
adj_mat = torch.zeros(60, 60).index_put_((edges[0], edges[1]), torch.ones(240)) + torch.eye(60)
features = F.one_hot(labels, 3).float() + torch.randn(60, 3)

net = GAT(3, 16, 4, 3)
optimizer = Adam(net.parameters(), lr=0.01, weight_decay=5e-4)
for _epoch in range(20):
    loss = F.nll_loss(net(features, adj_mat), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")

encoder, layer, head = nn.Linear(3, 8), MessagePassing(8), nn.Linear(8, 3)
parameters = [*encoder.parameters(), *layer.parameters(), *head.parameters()]
optimizer = torch.optim.RMSprop(parameters, lr=0.005)
for _epoch in range(20):
    hidden = encoder(features)
    for _round in range(2):
        hidden = layer(hidden, edges)
    loss = F.cross_entropy(head(hidden), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
