"""The PyTorch API over interchangeable array libraries: ``import dispatchtorch as torch``.

The facade: it re-exports the op table's functions, the words of the lower layers, and opens the heavy rooms (``nn``,
``optim``, ``utils`` ...) when they are first touched. It holds no logic.
"""

from __future__ import annotations

import importlib
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING, Any

from dispatchtorch import autograd as autograd
from dispatchtorch import ops as _families  # noqa: F401 - importing them declares every op
from dispatchtorch import overrides as overrides
from dispatchtorch import random as random
from dispatchtorch._base.checks import _assert as _assert
from dispatchtorch._base.checks import _check as _check
from dispatchtorch._base.checks import _check_index as _check_index
from dispatchtorch._base.checks import _check_is_size as _check_is_size
from dispatchtorch._base.checks import _check_not_implemented as _check_not_implemented
from dispatchtorch._base.checks import _check_type as _check_type
from dispatchtorch._base.checks import _check_value as _check_value
from dispatchtorch._base.checks import _check_with as _check_with
from dispatchtorch._base.checks import sym_float as sym_float
from dispatchtorch._base.checks import sym_int as sym_int
from dispatchtorch._base.checks import sym_ite as sym_ite
from dispatchtorch._base.checks import sym_max as sym_max
from dispatchtorch._base.checks import sym_min as sym_min
from dispatchtorch._base.checks import sym_not as sym_not
from dispatchtorch._base.checks import sym_sqrt as sym_sqrt
from dispatchtorch._base.checks import sym_sum as sym_sum
from dispatchtorch._base.device import Device as _Device
from dispatchtorch._base.device import get_default_device as get_default_device
from dispatchtorch._base.device import set_default_device as set_default_device
from dispatchtorch._base.dtypes import DType as _DType
from dispatchtorch._base.dtypes import (
    bfloat16 as bfloat16,
)
from dispatchtorch._base.dtypes import bool_ as _bool
from dispatchtorch._base.dtypes import (
    complex32 as complex32,
)
from dispatchtorch._base.dtypes import (
    complex64 as complex64,
)
from dispatchtorch._base.dtypes import (
    complex128 as complex128,
)
from dispatchtorch._base.dtypes import float8_e4m3fn as float8_e4m3fn
from dispatchtorch._base.dtypes import float8_e4m3fnuz as float8_e4m3fnuz
from dispatchtorch._base.dtypes import float8_e5m2 as float8_e5m2
from dispatchtorch._base.dtypes import float8_e5m2fnuz as float8_e5m2fnuz
from dispatchtorch._base.dtypes import float8_e8m0fnu as float8_e8m0fnu
from dispatchtorch._base.dtypes import (
    float16 as float16,
)
from dispatchtorch._base.dtypes import (
    float32 as float32,
)
from dispatchtorch._base.dtypes import (
    float64 as float64,
)
from dispatchtorch._base.dtypes import (
    get_default_dtype as get_default_dtype,
)
from dispatchtorch._base.dtypes import (
    int8 as int8,
)
from dispatchtorch._base.dtypes import (
    int16 as int16,
)
from dispatchtorch._base.dtypes import (
    int32 as int32,
)
from dispatchtorch._base.dtypes import (
    int64 as int64,
)
from dispatchtorch._base.dtypes import promote as _promote
from dispatchtorch._base.dtypes import (
    set_default_dtype as set_default_dtype,
)
from dispatchtorch._base.dtypes import (
    uint8 as uint8,
)
from dispatchtorch._base.dtypes import (
    uint16 as uint16,
)
from dispatchtorch._base.dtypes import (
    uint32 as uint32,
)
from dispatchtorch._base.dtypes import (
    uint64 as uint64,
)
from dispatchtorch._base.errors import AcceleratorError as AcceleratorError
from dispatchtorch._base.errors import OutOfMemoryError as OutOfMemoryError
from dispatchtorch._base.limits import finfo as finfo
from dispatchtorch._base.limits import iinfo as iinfo
from dispatchtorch._base.memory_format import MemoryFormat as _MemoryFormat
from dispatchtorch._base.memory_format import channels_last as channels_last
from dispatchtorch._base.memory_format import channels_last_3d as channels_last_3d
from dispatchtorch._base.memory_format import contiguous_format as contiguous_format
from dispatchtorch._base.memory_format import preserve_format as preserve_format
from dispatchtorch._base.switches import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from dispatchtorch._base.switches import get_deterministic_debug_mode as get_deterministic_debug_mode
from dispatchtorch._base.switches import get_float32_matmul_precision as get_float32_matmul_precision
from dispatchtorch._base.switches import get_num_interop_threads as get_num_interop_threads
from dispatchtorch._base.switches import get_num_threads as get_num_threads
from dispatchtorch._base.switches import (
    is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled,
)
from dispatchtorch._base.switches import is_warn_always_enabled as is_warn_always_enabled
from dispatchtorch._base.switches import set_deterministic_debug_mode as set_deterministic_debug_mode
from dispatchtorch._base.switches import set_float32_matmul_precision as set_float32_matmul_precision
from dispatchtorch._base.switches import set_flush_denormal as set_flush_denormal
from dispatchtorch._base.switches import set_num_interop_threads as set_num_interop_threads
from dispatchtorch._base.switches import set_num_threads as set_num_threads
from dispatchtorch._base.switches import set_warn_always as set_warn_always
from dispatchtorch._base.switches import use_deterministic_algorithms as use_deterministic_algorithms
from dispatchtorch._version import __version__ as __version__
from dispatchtorch._version import __version__ as _own
from dispatchtorch.autograd.api import (
    is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled,
)
from dispatchtorch.autograd.api import (
    is_anomaly_enabled as is_anomaly_enabled,
)
from dispatchtorch.autograd.api import set_anomaly_enabled as set_anomaly_enabled
from dispatchtorch.autograd.grad_mode import (
    enable_grad as enable_grad,
)
from dispatchtorch.autograd.grad_mode import (
    inference_mode as inference_mode,
)
from dispatchtorch.autograd.grad_mode import (
    is_grad_enabled as is_grad_enabled,
)
from dispatchtorch.autograd.grad_mode import (
    is_inference_mode_enabled as is_inference_mode_enabled,
)
from dispatchtorch.autograd.grad_mode import (
    no_grad as no_grad,
)
from dispatchtorch.autograd.grad_mode import (
    set_grad_enabled as set_grad_enabled,
)
from dispatchtorch.dispatch.custom import OPS as _OPS
from dispatchtorch.dispatch.inplace import can_cast as can_cast
from dispatchtorch.dispatch.overriding import surface_changed as _surface_changed
from dispatchtorch.dispatch.table import FUNCTIONS as _FUNCTIONS
from dispatchtorch.dispatch.tracing import tracing as _tracing
from dispatchtorch.ops.legacy_types import BFloat16Tensor as BFloat16Tensor
from dispatchtorch.ops.legacy_types import BoolTensor as BoolTensor
from dispatchtorch.ops.legacy_types import ByteTensor as ByteTensor
from dispatchtorch.ops.legacy_types import CharTensor as CharTensor
from dispatchtorch.ops.legacy_types import DoubleTensor as DoubleTensor
from dispatchtorch.ops.legacy_types import FloatTensor as FloatTensor
from dispatchtorch.ops.legacy_types import HalfTensor as HalfTensor
from dispatchtorch.ops.legacy_types import IntTensor as IntTensor
from dispatchtorch.ops.legacy_types import LongTensor as LongTensor
from dispatchtorch.ops.legacy_types import ShortTensor as ShortTensor
from dispatchtorch.ops.legacy_types import set_default_tensor_type as set_default_tensor_type
from dispatchtorch.ops.members import Layout as _Layout
from dispatchtorch.ops.members import strided as strided
from dispatchtorch.ops.sparse import sparse_bsc as sparse_bsc
from dispatchtorch.ops.sparse import sparse_bsr as sparse_bsr
from dispatchtorch.ops.sparse import sparse_coo as sparse_coo
from dispatchtorch.ops.sparse import sparse_csc as sparse_csc
from dispatchtorch.ops.sparse import sparse_csr as sparse_csr
from dispatchtorch.ops.storages import STORAGE_TYPES as _STORAGE_TYPES
from dispatchtorch.ops.storages import TypedStorage as TypedStorage
from dispatchtorch.ops.storages import UntypedStorage as UntypedStorage
from dispatchtorch.plugin.selection import (
    default_backend as default_backend,
)
from dispatchtorch.plugin.selection import (
    get_backend as get_backend,
)
from dispatchtorch.plugin.selection import (
    set_backend as set_backend,
)
from dispatchtorch.plugin.selection import (
    use_backend as use_backend,
)
from dispatchtorch.random.generator import (
    Generator as Generator,
)
from dispatchtorch.random.generator import (
    default_generator as default_generator,
)
from dispatchtorch.random.generator import (
    get_rng_state as get_rng_state,
)
from dispatchtorch.random.generator import (
    initial_seed as initial_seed,
)
from dispatchtorch.random.generator import (
    manual_seed as manual_seed,
)
from dispatchtorch.random.generator import (
    seed as seed,
)
from dispatchtorch.random.generator import (
    set_rng_state as set_rng_state,
)
from dispatchtorch.random.generator import thread_safe_generator as thread_safe_generator
from dispatchtorch.tensor.format import set_printoptions as set_printoptions
from dispatchtorch.tensor.tensor import Size as Size
from dispatchtorch.tensor.tensor import Tensor as Tensor

newaxis = None
device = _Device
dtype = _DType
bool = _bool
promote_types = _promote
ops = _OPS
layout = _Layout
memory_format = _MemoryFormat
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
        "_C", "__config__", "_dynamo", "accelerator", "amp", "backends", "compiler", "cpu", "cuda", "distributed",
        "distributions", "fft", "func", "hub", "jit", "library", "linalg", "masked", "mps", "mtia", "nn", "optim",
        "profiler", "return_types", "serialization", "signal", "sparse", "special", "storage", "testing",
        "torch_version", "types", "utils", "version", "xpu", "multiprocessing",
    }
)  # fmt: skip

# Names of the torch namespace that live in a heavy room.
_FROM_ROOMS = {
    "autocast": "amp",
    "compile": "compiler",
    "get_device_module": "accelerator",
    "load": "serialization",
    "save": "serialization",
    "vmap": "func",
    **dict.fromkeys(
        (
            "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache",
            "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype", "is_autocast_cache_enabled",
            "is_autocast_cpu_enabled", "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_cpu_dtype",
            "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled", "set_autocast_gpu_dtype",
        ),
        "amp.state",
    ),
}  # fmt: skip

globals().update(_FUNCTIONS)
globals().update(_STORAGE_TYPES)
if TYPE_CHECKING:
    from dispatchtorch._functions import *  # noqa: F403 - a stub made from the table
    from dispatchtorch.amp import autocast as autocast
    from dispatchtorch.amp.state import *  # noqa: F403 - autocast's switches
    from dispatchtorch.compiler import compile as compile
    from dispatchtorch.func import vmap as vmap
    from dispatchtorch.serialization import load as load
    from dispatchtorch.serialization import save as save


_tracing.compiler = lambda: __getattr__("compile")


def __getattr__(name: str) -> Any:
    """Returns a heavy room on first touch; AttributeError says what is missing."""
    if name in _FROM_ROOMS:
        return getattr(importlib.import_module(f"dispatchtorch.{_FROM_ROOMS[name]}"), name)
    if name in _ROOMS:
        try:
            room = importlib.import_module(f"dispatchtorch.{name}")
            _surface_changed()
            return room
        except ModuleNotFoundError as error:
            if error.name != f"dispatchtorch.{name}":
                raise
    raise AttributeError(f"module 'torch' has no attribute '{name}' (dispatchtorch {_own} does not have it yet)")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FROM_ROOMS})
