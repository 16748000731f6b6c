"""The backend: nothing but the contract of `dispatchtorch.plugin`, over arrays that are written in place."""

import functools

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dispatchtorch.plugin import Backend


class AbacusBackend(Backend):
    """Strided arrays in host memory."""

    name = "abacus"
    devices = ("cpu",)
    aliasing = "native"

    def __init__(self):
        self.kernels = {"relu": lambda a: np.maximum(a, np.zeros((), a.dtype))}

    @property
    def namespace(self):
        """Returns numpy: its names are those of the array API standard."""
        return np

    def from_host(self, host, device):
        """Returns a copy of the host's array."""
        return np.array(host)

    def to_host(self, array):
        """Returns the array: it lives on the host."""
        return array

    def dtype(self, name):
        """Returns numpy's dtype; KeyError for those that numpy lacks."""
        try:
            return super().dtype(name)
        except AttributeError:
            raise KeyError(name) from None

    def bind(self, kernel, call):
        """Returns the kernel, made to return arrays where numpy gives scalars."""

        @functools.wraps(kernel)
        def bound(*args):
            result = kernel(*args)
            return tuple(map(np.asarray, result)) if isinstance(result, (tuple, list)) else np.asarray(result)

        return bound

    def quiet(self, kernel):
        """Returns the kernel without numpy's floating-point warnings."""
        return np.errstate(all="ignore")(kernel)

    def strided(self, root, shape, strides, offset):
        """Returns a view of the flat root."""
        return as_strided(root[offset:], shape, tuple(stride * root.itemsize for stride in strides))

    def flat(self, array):
        """Returns the memory that the array spans, as one dimension."""
        last = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
        return as_strided(array, (last // array.itemsize + 1 if array.size else 0,), (array.itemsize,))

    def address(self, array):
        """Returns the address of the first element."""
        return array.__array_interface__["data"][0]
