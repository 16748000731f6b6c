"""NumPy as a backend: writable arrays that alias natively, and kernels where numpy's own are slow or missing."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import numpy as np

from dispatchtorch.plugin import Backend, Gap, Kernel, KernelCall, keep_memory
from dispatchtorch_numpy.kernels import BARE, KERNELS, ROWWISE, WRITERS
from dispatchtorch_numpy.silence import silent, silent_arrays

__all__ = ["NumpyBackend"]

_OUT_BY_NAME: Final = (np.maximum, np.minimum)  # numpy deprecates their third positional argument

# Ufuncs run straight from a plan, where x / 0 must be inf and not a warning. The filter is for our own frames only;
# where a program makes warnings errors, the plan runs the kernel again under `quiet`.
warnings.filterwarnings("ignore", message=".* encountered in ", category=RuntimeWarning, module=r"dispatchtorch")


class NumpyBackend(Backend):
    """Tensors on the CPU as numpy arrays."""

    name: ClassVar[str] = "numpy"
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    aliasing: ClassVar[Literal["native", "lens"]] = "native"
    capabilities: ClassVar[frozenset[str]] = frozenset({"float16", "float64", "complex64", "complex128", "bfloat16"})
    gaps: tuple[Gap, ...] = ()
    kernels: Mapping[str, Kernel] = KERNELS
    writers: Mapping[str, Kernel] = WRITERS

    def __init__(self) -> None:
        super().__init__()
        keep_memory()

    @property
    def namespace(self) -> Any:
        """Returns numpy."""
        return np

    def from_host(self, host: Any, device: str) -> Any:
        """Returns a copy of the host array, in C order."""
        return np.array(host, order="C", copy=True)

    def adopt(self, host: Any, device: str) -> Any:
        """Returns the array itself."""
        return host

    def to_host(self, array: Any) -> Any:
        """Returns the array itself."""
        return array

    def dtype(self, name: str) -> Any:
        """Returns numpy's dtype of this name; bfloat16 and float8 come from ml_dtypes, imported when needed."""
        if name == "bfloat16" or name.startswith("float8_"):
            import ml_dtypes  # an extra: only who asks for these types pays

            return np.dtype(getattr(ml_dtypes, name))
        return np.dtype(name)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel with 0-d results kept arrays, and silent where it is more than one ufunc."""
        if call.dtype == "bfloat16":  # beside a type it did not make, numpy takes a number for a float64
            return _cast_back(silent_arrays(kernel), self.dtype("bfloat16"))
        if isinstance(kernel, np.ufunc):
            return _kept_array(kernel) if call.zero_dim else kernel
        if kernel in BARE:
            return kernel
        if call.elementwise and not call.zero_dim:
            return silent(kernel)
        return silent_arrays(kernel, short=kernel in ROWWISE)

    def quiet(self, kernel: Kernel) -> Kernel:
        """Returns the kernel without a word about what numpy calls floating-point errors."""
        return silent(kernel)

    def set_threads(self, count: int) -> None:
        """Holds BLAS to so many threads where threadpoolctl is installed, which knows how for each BLAS there is."""
        if importlib.util.find_spec("threadpoolctl") is None:
            return
        threadpoolctl = importlib.import_module("threadpoolctl")  # not before somebody asks
        threadpoolctl.threadpool_limits(count, user_api="blas")

    def number(self, value: Any, dtype: str) -> Any:
        """Returns a 0-d array: a ufunc spends as long on a Python float as on the rest of a small call."""
        return np.asarray(value, self.dtype(dtype))

    def takes_out(self, kernel: Kernel) -> bool:
        """Returns whether the kernel is a bare ufunc."""
        return isinstance(kernel, np.ufunc) and kernel not in _OUT_BY_NAME

    def flat(self, array: Any) -> Any:
        """Returns the one-dimensional array over the memory that ``array`` spans."""
        if array.flags.c_contiguous:
            return array.reshape(-1)
        if array.size == 0:
            return np.empty(0, array.dtype)
        extent = 1 + sum((n - 1) * (s // array.itemsize) for n, s in zip(array.shape, array.strides, strict=True))
        return _spread(array, (extent,), (array.itemsize,))

    def strided(self, root: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
        """Returns a view of the flat root."""
        size = root.itemsize
        if 0 in shape:  # an empty view may begin behind the end, where numpy wants a place inside
            offset = min(offset, root.size)
        if root.dtype.isbuiltin != 1:  # ml_dtypes' types do not export a buffer
            return _spread(root[offset:], shape, tuple([s * size for s in strides]))
        return np.ndarray(shape, root.dtype, root, offset * size, [s * size for s in strides])

    def address(self, array: Any) -> int:
        """Returns the address of the first element."""
        return int(array.__array_interface__["data"][0])

    def write(self, target: Any, value: Any) -> None:
        """Writes, with numpy's broadcasting, casting between kinds as C does."""
        with np.errstate(all="ignore"):
            np.copyto(target, value, casting="unsafe")


def _spread(array: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """Returns a view with these strides in bytes; ml_dtypes' types travel as integers, for numpy cannot spell them."""
    if array.dtype.isbuiltin == 1:
        return np.lib.stride_tricks.as_strided(array, shape, strides)
    seen = array.view(f"u{array.itemsize}")
    return np.lib.stride_tricks.as_strided(seen, shape, strides).view(array.dtype)


def _kept_array(kernel: Any) -> Kernel:
    """Returns the ufunc with 0-d results kept arrays; a closure costs a third of what functools.partial does here."""

    def unary(a: Any) -> Any:
        return kernel(a, out=...)

    def binary(a: Any, b: Any) -> Any:
        return kernel(a, b, out=...)

    if kernel.nout != 1 or kernel.nin > 2:
        return functools.partial(kernel, out=...)
    return unary if kernel.nin == 1 else binary


def _cast_back(kernel: Kernel, dtype: Any) -> Kernel:
    def cast(*args: Any) -> Any:
        out = kernel(*args)
        return out if out.dtype == dtype else out.astype(dtype)

    return cast
