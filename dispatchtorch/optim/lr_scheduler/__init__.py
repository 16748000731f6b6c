"""Schedules of learning rates: ``torch.optim.lr_scheduler``. They write rates into groups, nothing else."""

from dispatchtorch.optim.lr_scheduler.base import LRScheduler
from dispatchtorch.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from dispatchtorch.optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, OneCycleLR
from dispatchtorch.optim.lr_scheduler.cyclic import CyclicLR
from dispatchtorch.optim.lr_scheduler.formulas import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from dispatchtorch.optim.lr_scheduler.plateau import ReduceLROnPlateau

_LRScheduler = LRScheduler  # the name it had once

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
