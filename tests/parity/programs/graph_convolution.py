"""A graph convolutional network over a sparse adjacency matrix, half of the nodes labelled."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam


class GraphConv(nn.Module):
    """A linear layer whose outputs are averaged over neighbours."""

    def __init__(self, input_dim, output_dim, use_bias=False):
        super().__init__()
        self.kernel = nn.Parameter(torch.Tensor(input_dim, output_dim))
        nn.init.xavier_normal_(self.kernel)
        self.bias = nn.Parameter(torch.Tensor(output_dim)) if use_bias else None
        if use_bias:
            stdv = 1.0 / math.sqrt(output_dim)
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input_tensor, adj_mat):
        support = torch.mm(input_tensor, self.kernel)
        output = torch.spmm(adj_mat, support)
        return output + self.bias if self.bias is not None else output


class GCN(nn.Module):
    """Two graph convolutions with dropout between."""

    def __init__(self, input_dim, hidden_dim, output_dim, dropout_p=0.2):
        super().__init__()
        self.gc1 = GraphConv(input_dim, hidden_dim, use_bias=True)
        self.gc2 = GraphConv(hidden_dim, output_dim)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input_tensor, adj_mat):
        x = self.dropout(F.relu(self.gc1(input_tensor, adj_mat)))
        return F.log_softmax(self.gc2(x, adj_mat), dim=1)


def graph(nodes, classes, links):
    """Returns features, labels and the normalised adjacency matrix of a graph where like meets like."""
    labels = torch.arange(nodes) % classes
    ends = torch.randint(0, nodes, (2, links))
    ends[1, ::2] = (ends[0, ::2] + classes * torch.randint(1, 5, (links // 2,))) % nodes
    edges = torch.cat([ends, ends.flip(0), torch.arange(nodes).repeat(2, 1)], 1)
    adjacency = torch.sparse_coo_tensor(edges, torch.ones(edges.shape[1]), (nodes, nodes)).coalesce()
    degree = torch.sparse.sum(adjacency, dim=1).to_dense()
    rows, columns = adjacency.indices()
    values = adjacency.values() / (degree[rows] * degree[columns]).sqrt()
    features = F.one_hot(labels, classes).float() + torch.randn(nodes, classes)
    return features, labels, torch.sparse_coo_tensor(torch.stack([rows, columns]), values, adjacency.shape)


torch.manual_seed(42)
features, labels, adj_mat = graph(120, 4, 400)
idx = torch.randperm(len(labels))
idx_train, idx_test = idx[:60], idx[60:]
gcn = GCN(features.shape[1], 16, 4)
optimizer = Adam(gcn.parameters(), lr=0.01, weight_decay=5e-4)
criterion = nn.NLLLoss()
for _epoch in range(20):
    optimizer.zero_grad()
    output = gcn(features, adj_mat)
    loss = criterion(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
gcn.eval()
with torch.no_grad():
    print((gcn(features, adj_mat)[idx_test].argmax(dim=1) == labels[idx_test]).float().mean().item())
