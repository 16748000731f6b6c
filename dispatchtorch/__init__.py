"""The PyTorch API over interchangeable array libraries: ``import dispatchtorch as torch``.

The facade: it re-exports the op table's functions, the words of the lower layers, and opens the heavy rooms (``nn``,
``optim``, ``utils`` ...) when they are first touched. It holds no logic.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import Any

from dispatchtorch import autograd as autograd
from dispatchtorch import ops as _ops
from dispatchtorch import random as random
from dispatchtorch._base.device import Device as device
from dispatchtorch._base.dtypes import DType as dtype
from dispatchtorch._base.dtypes import (
    bfloat16,
    complex32,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from dispatchtorch._base.dtypes import bool_ as bool
from dispatchtorch._base.dtypes import promote as promote_types
from dispatchtorch._version import __version__
from dispatchtorch.autograd.api import is_anomaly_check_nan_enabled, is_anomaly_enabled
from dispatchtorch.autograd.api import set_anomaly_enabled as set_anomaly_enabled
from dispatchtorch.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from dispatchtorch.dispatch.custom import OPS as ops
from dispatchtorch.dispatch.inplace import can_cast
from dispatchtorch.dispatch.table import FUNCTIONS as _FUNCTIONS
from dispatchtorch.ops.members import Layout as layout
from dispatchtorch.ops.members import TypedStorage, UntypedStorage, strided
from dispatchtorch.plugin.selection import default_backend, get_backend, set_backend, use_backend
from dispatchtorch.random.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from dispatchtorch.tensor.format import set_printoptions
from dispatchtorch.tensor.tensor import Size, Tensor

float = float32
double = float64
half = float16
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128

_ROOMS = frozenset(
    {
        "amp", "compiler", "distributed", "distributions", "fft", "func", "linalg", "nn", "optim", "serialization",
        "special", "testing", "utils",
    }
)  # fmt: skip

globals().update(_FUNCTIONS)


def __getattr__(name: str) -> Any:
    """Returns a heavy room on first touch; AttributeError says what is missing."""
    if name in _ROOMS:
        try:
            return importlib.import_module(f"dispatchtorch.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"dispatchtorch.{name}":
                raise
    raise AttributeError(f"module 'torch' has no attribute '{name}' (dispatchtorch {__version__} does not have it yet)")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
