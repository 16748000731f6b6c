"""Optimizers and schedules of learning rates: ``torch.optim``. Knows tensors and their ops; `swa_utils` modules too."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dispatchtorch.optim import lr_scheduler as lr_scheduler
from dispatchtorch.optim.adadelta import Adadelta
from dispatchtorch.optim.adafactor import Adafactor
from dispatchtorch.optim.adagrad import Adagrad
from dispatchtorch.optim.adam import Adam, AdamW
from dispatchtorch.optim.adamax import Adamax
from dispatchtorch.optim.asgd import ASGD
from dispatchtorch.optim.lbfgs import LBFGS
from dispatchtorch.optim.muon import Muon
from dispatchtorch.optim.nadam import NAdam
from dispatchtorch.optim.optimizer import Optimizer
from dispatchtorch.optim.radam import RAdam
from dispatchtorch.optim.rmsprop import RMSprop
from dispatchtorch.optim.rprop import Rprop
from dispatchtorch.optim.sgd import SGD
from dispatchtorch.optim.sparse_adam import SparseAdam
from dispatchtorch.optim.swapping import swap_in_optimizer_params_and_state

if TYPE_CHECKING:
    from dispatchtorch.optim import swa_utils as swa_utils

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]


def __getattr__(name: str) -> Any:
    """Returns `swa_utils` on first touch: it needs modules, which optimizers do without."""
    if name == "swa_utils":
        return importlib.import_module("dispatchtorch.optim.swa_utils")
    raise AttributeError(f"module 'torch.optim' has no attribute '{name}'")
