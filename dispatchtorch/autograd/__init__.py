"""Reverse-mode differentiation: the engine that walks recorded nodes, and torch's functions around it.

Layer 4: knows nodes, edges and tensors; knows no op but those that add up gradients, which it is given.
"""

import importlib
from typing import Any

from dispatchtorch.autograd import anomaly_mode as anomaly_mode
from dispatchtorch.autograd import forward_ad as forward_ad
from dispatchtorch.autograd import function as function
from dispatchtorch.autograd import functional as functional
from dispatchtorch.autograd import grad_mode as grad_mode
from dispatchtorch.autograd import graph as graph
from dispatchtorch.autograd.api import backward, detect_anomaly, grad, is_anomaly_enabled, set_detect_anomaly
from dispatchtorch.autograd.function import Function, NestedIOFunction, once_differentiable
from dispatchtorch.autograd.grad_mode import (
    enable_grad,
    enforce_grad_layout_policy,
    inference_mode,
    is_grad_enabled,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from dispatchtorch.autograd.gradcheck import gradcheck, gradgradcheck
from dispatchtorch.autograd.variable import Variable, variable

__all__ = [
    "Function",
    "NestedIOFunction",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "enforce_grad_layout_policy",
    "forward_ad",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_multithreading_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
    "variable",
]


def __getattr__(name: str) -> Any:
    """Returns the profiler when it is first named: few programs do, and imports are short."""
    if name == "profiler":
        return importlib.import_module("dispatchtorch.autograd.profiler")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
