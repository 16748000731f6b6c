"""Reverse-mode differentiation: the engine that walks recorded nodes, and torch's functions around it.

Layer 4: knows nodes, edges and tensors; knows no op but those that add up gradients, which it is given.
"""

from dispatchtorch.autograd.api import backward, detect_anomaly, grad, is_anomaly_enabled, set_detect_anomaly
from dispatchtorch.autograd.function import Function, once_differentiable
from dispatchtorch.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from dispatchtorch.autograd.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]
