"""Prediction of sine waves: LSTM cells in double precision, trained with LBFGS, then run on by themselves."""

import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    """Two LSTM cells and a linear layer."""

    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 11)
        self.lstm2 = nn.LSTMCell(11, 11)
        self.linear = nn.Linear(11, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), 11, dtype=torch.double)
        c_t = torch.zeros(input.size(0), 11, dtype=torch.double)
        h_t2 = torch.zeros(input.size(0), 11, dtype=torch.double)
        c_t2 = torch.zeros(input.size(0), 11, dtype=torch.double)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _i in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


torch.manual_seed(0)
shifts = torch.randint(-80, 80, (10, 1))
data = torch.sin((torch.arange(30) + shifts).double() / 3.0)
input, target = data[3:, :-1], data[3:, 1:]
seq = Sequence()
seq.double()
criterion = nn.MSELoss()
optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=10)
for _i in range(2):

    def closure():
        """Returns the loss with its gradient, and prints it."""
        optimizer.zero_grad()
        loss = criterion(seq(input), target)
        print(f"{loss.item():.8f}")
        loss.backward()
        return loss

    optimizer.step(closure)
with torch.no_grad():
    pred = seq(data[:3, :-1], future=10)
    print(f"{criterion(pred[:, :-10], data[:3, 1:]).item():.8f}")
