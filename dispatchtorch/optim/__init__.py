"""Optimizers and schedules of learning rates: ``torch.optim``. Knows tensors and their ops, never modules."""

from dispatchtorch.optim import lr_scheduler as lr_scheduler
from dispatchtorch.optim.adadelta import Adadelta
from dispatchtorch.optim.adagrad import Adagrad
from dispatchtorch.optim.adam import Adam, AdamW
from dispatchtorch.optim.adamax import Adamax
from dispatchtorch.optim.nadam import NAdam
from dispatchtorch.optim.optimizer import Optimizer
from dispatchtorch.optim.rmsprop import RMSprop
from dispatchtorch.optim.sgd import SGD
from dispatchtorch.optim.sparse_adam import SparseAdam

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "SparseAdam",
    "lr_scheduler",
]
