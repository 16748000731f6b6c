"""torchinfo: summaries of a convolutional, a recurrent and a Transformer model, to the letter."""

import torch
from torch import nn
from torchinfo import summary


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 16, 2, batch_first=True)
        self.output = nn.Linear(16, 20)

    def forward(self, x):
        return self.output(self.lstm(self.embedding(x))[0])


def letters(shown):
    """Returns a number that changes with the text of a summary."""
    return sum(map(ord, str(shown)))


torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
columns = ("input_size", "output_size", "num_params", "kernel_size", "mult_adds")
shown = summary(net, input_size=(2, 3, 8, 8), verbose=0, col_names=columns)
print(shown.total_params, shown.trainable_params, shown.total_mult_adds, shown.total_output_bytes)
print(len(str(shown)), letters(shown))
shown = summary(Recurrent(), input_data=torch.randint(0, 20, (2, 5)), verbose=0)
print(shown.total_params, shown.total_mult_adds, letters(shown))
layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
shown = summary(layer, input_size=(2, 5, 16), verbose=0, depth=4)
print(shown.total_params, shown.total_mult_adds, letters(shown))
