"""The smallest backends there are: NumPy through the contract, once with native aliasing, once with lenses.

They show what a backend has to say, and test the core without any other library. `ImmutableBackend` marks every array
as read-only, so a kernel that writes into an argument raises.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from dispatchtorch.plugin.backend import Array, Backend, Kernel, KernelCall
from dispatchtorch.plugin.selection import get_backend

__all__ = ["ImmutableBackend", "LoopbackBackend"]


class LoopbackBackend(Backend):
    """Strided, writable arrays in host memory."""

    name: ClassVar[str] = "loopback"
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    aliasing: ClassVar[Literal["native", "lens"]] = "native"
    capabilities: ClassVar[frozenset[str]] = frozenset({"float16", "float64", "complex64", "complex128", "bfloat16"})

    def __init__(self) -> None:
        host = get_backend("numpy")
        self.kernels: Mapping[str, Kernel] = host.kernels
        self.gaps = host.gaps
        self._host = host

    @property
    def namespace(self) -> Any:
        """Returns numpy: its names are those of the array API standard."""
        return np

    def from_host(self, host: Any, device: str) -> Array:
        """Returns a copy of the host's array."""
        return np.array(host, order="C", copy=True)

    def to_host(self, array: Array) -> Any:
        """Returns the array: it lives on the host."""
        return array

    def dtype(self, name: str) -> Any:
        """Returns what the NumPy backend calls the dtype."""
        return self._host.dtype(name)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel, silent, with arrays where numpy gives scalars."""
        kernel = kept(kernel, self.dtype("bfloat16")) if call.dtype == "bfloat16" else kernel

        @functools.wraps(kernel, assigned=("__name__",), updated=())
        def bound(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                out = kernel(*args)
            return tuple(map(np.asarray, out)) if isinstance(out, (tuple, list)) else np.asarray(out)

        return bound

    def strided(self, root: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
        """Returns a view of the flat root."""
        steps = tuple([stride * root.itemsize for stride in strides])
        return np.lib.stride_tricks.as_strided(root[offset:], shape, steps)

    def flat(self, array: Array) -> Array:
        """Returns the memory that the array spans, as one dimension."""
        last = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
        count = last // array.itemsize + 1 if array.size else 0
        return np.lib.stride_tricks.as_strided(array, (count,), (array.itemsize,))

    def address(self, array: Array) -> int:
        """Returns the address of the first element."""
        return int(array.__array_interface__["data"][0])

    def write(self, target: Array, value: Array) -> None:
        """Writes, casting between kinds as C does."""
        with np.errstate(all="ignore"):
            np.copyto(target, value, casting="unsafe")


class ImmutableBackend(Backend):
    """Arrays in host memory that are frozen as soon as they are made."""

    name: ClassVar[str] = "immutable"
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    aliasing: ClassVar[Literal["native", "lens"]] = "lens"
    capabilities: ClassVar[frozenset[str]] = LoopbackBackend.capabilities

    def __init__(self) -> None:
        host = get_backend("numpy")
        self.kernels: Mapping[str, Kernel] = host.kernels
        self.gaps = host.gaps
        self._host = host

    @property
    def namespace(self) -> Any:
        """Returns numpy."""
        return np

    def from_host(self, host: Any, device: str) -> Array:
        """Returns a frozen copy of the host's array."""
        return frozen(np.array(host, order="C", copy=True))

    def to_host(self, array: Array) -> Any:
        """Returns the array itself, which cannot be written."""
        return array

    def dtype(self, name: str) -> Any:
        """Returns what the NumPy backend calls the dtype."""
        return self._host.dtype(name)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel with frozen results; its arguments are frozen already."""
        kernel = kept(kernel, self.dtype("bfloat16")) if call.dtype == "bfloat16" else kernel

        @functools.wraps(kernel, assigned=("__name__",), updated=())
        def bound(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                out = kernel(*args)
            return tuple(map(frozen, out)) if isinstance(out, (tuple, list)) else frozen(out)

        return bound

    def set_at(self, array: Array, index: Any, value: Array) -> Array:
        """Returns a frozen copy with the value at the index."""
        out = array.copy()
        out[index] = value
        return frozen(out)


def kept(kernel: Kernel, dtype: Any) -> Kernel:
    """Returns the kernel with results of a dtype that numpy did not make: beside a number, numpy widens it."""

    @functools.wraps(kernel, assigned=("__name__",), updated=())
    def cast(*args: Any) -> Any:
        out = kernel(*args)
        return out.astype(dtype) if out.dtype.kind == "f" else out

    return cast


def frozen(value: Any) -> Array:
    """Returns the value as an array that raises ValueError when it is written."""
    array = np.asarray(value)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
