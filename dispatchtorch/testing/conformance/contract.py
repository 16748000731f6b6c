"""The laws of `dispatchtorch.plugin.Backend` itself: values in and out, no aliasing, dtypes, 0-d arrays, writes.

Each law is a function of a backend that raises AssertionError. Knows raw arrays only; no tensor, no op.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.plugin.backend import Backend, KernelCall
from dispatchtorch.tensor.interop import host_dtype

__all__ = ["LAWS"]

Host = np.ndarray[Any, Any]
_ALWAYS: Final = ("bool", "uint8", "int32", "int64", "float32")
_MAYBE: Final = ("int8", "int16", "float16", "float64", "bfloat16", "complex64", "complex128")


def _names(backend: Backend) -> list[str]:
    return [*_ALWAYS, *(name for name in _MAYBE if name in backend.capabilities)]


def _host(dtype: str) -> Host:
    return np.array([[0, 1, 2], [3, 4, 5]]).astype(host_dtype(by_name(dtype)))


def _same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return bool(a.shape == b.shape and a.dtype == b.dtype and (a == b).all())


def host_values_survive_the_round_trip(backend: Backend) -> None:
    """``to_host(from_host(x))`` is x in every dtype and shape."""
    for dtype in _names(backend):
        for host in (
            _host(dtype),
            _host(dtype)[0, 1],
            _host(dtype)[:0],
            np.asfortranarray(_host(dtype)),
            _host(dtype)[:, ::2],
        ):
            array = backend.from_host(np.asarray(host), backend.devices[0])
            assert tuple(array.shape) == np.shape(host), f"{dtype}: shape {tuple(array.shape)}, not {np.shape(host)}"
            assert _same(backend.to_host(array), host), f"{dtype}: {backend.to_host(array)} came back for {host}"


def from_host_never_aliases(backend: Backend) -> None:
    """A later write to the host array does not reach the backend's."""
    host = _host("float32")
    array = backend.from_host(host, backend.devices[0])
    host[:] = -1
    assert _same(backend.to_host(array), _host("float32")), "from_host shares memory with its argument"


def dtypes_have_their_names(backend: Backend) -> None:
    """``dtype_name`` undoes ``dtype``."""
    for name in _names(backend):
        array = backend.from_host(_host(name), backend.devices[0])
        assert backend.dtype_name(array) == name, f"{backend.dtype_name(array)}, not {name}"
        backend.dtype(name)


def results_without_dims_stay_arrays(backend: Backend) -> None:
    """A bound kernel gives arrays, also where the library would give a scalar."""
    zero = backend.from_host(np.array(2.0, np.float32), backend.devices[0])
    add = backend.bind(backend.namespace.add, KernelCall("add", zero_dim=True, elementwise=True))
    out = add(zero, zero)
    assert type(out) is type(zero), f"{type(out).__name__}, not {type(zero).__name__}"
    assert tuple(out.shape) == (), f"shape {tuple(out.shape)}"
    assert float(backend.to_host(out)) == 4.0, f"2 + 2 is {backend.to_host(out)}"


def kernels_leave_arguments_alone(backend: Backend) -> None:
    """A bound kernel does not write what it reads."""
    array = backend.from_host(_host("float32"), backend.devices[0])
    multiply = backend.bind(backend.namespace.multiply, KernelCall("mul", elementwise=True))
    multiply(array, array)
    assert _same(backend.to_host(array), _host("float32")), "an argument has changed"


def division_by_zero_is_quiet(backend: Backend) -> None:
    """``quiet`` gives inf and nan without a word."""
    one, zero = (backend.from_host(np.full(2, v, np.float32), backend.devices[0]) for v in (1, 0))
    call = KernelCall("div", elementwise=True)
    divide = backend.quiet(backend.bind(backend.namespace.divide, call))
    assert np.isinf(backend.to_host(divide(one, zero))).all(), "1 / 0 is not inf"
    assert np.isnan(backend.to_host(divide(zero, zero))).all(), "0 / 0 is not nan"


def copies_are_independent(backend: Backend) -> None:
    """A write to an array does not change its copy."""
    array = backend.from_host(_host("float32"), backend.devices[0])
    copy = backend.copy(array)
    if backend.aliasing == "native":
        backend.write(array, backend.from_host(np.full((2, 3), 9, np.float32), backend.devices[0]))
    assert _same(backend.to_host(copy), _host("float32")), "the copy has changed"


def writes_reach_exactly_their_elements(backend: Backend) -> None:
    """Native: a strided view is written, its root follows. Lens: ``set_at`` changes those elements of a copy only."""
    array = backend.from_host(_host("float32"), backend.devices[0])
    if backend.aliasing == "native":
        root = backend.flat(array)
        address = backend.address(array)
        column = backend.strided(root, (2,), (3,), 1)
        assert _same(backend.to_host(column), np.array([1, 4], np.float32)), "strided() sees other elements"
        assert backend.address(column) - address == 4, "the address of a view is not that of its first element"
        backend.write(column, backend.from_host(np.array(7, np.int64), backend.devices[0]))
        assert _same(backend.to_host(array), np.array([[0, 7, 2], [3, 7, 5]], np.float32)), "a write went elsewhere"
        assert backend.address(array) == address, "a write moved the array"
        return
    value = backend.from_host(np.array([7, 7], np.float32), backend.devices[0])
    changed = backend.set_at(array, (slice(None), 1), value)
    assert _same(backend.to_host(changed), np.array([[0, 7, 2], [3, 7, 5]], np.float32)), "set_at wrote elsewhere"
    assert _same(backend.to_host(array), _host("float32")), "set_at changed its argument"


LAWS: Final[tuple[Callable[[Backend], None], ...]] = (
    host_values_survive_the_round_trip,
    from_host_never_aliases,
    dtypes_have_their_names,
    results_without_dims_stay_arrays,
    kernels_leave_arguments_alone,
    division_by_zero_is_quiet,
    copies_are_independent,
    writes_reach_exactly_their_elements,
)
