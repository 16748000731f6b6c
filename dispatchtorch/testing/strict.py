"""A stand-in for a GPU's array library, which runs on the host and refuses what the real one refuses.

Code written for device arrays goes wrong where it mixes in host arrays, converts without saying so, takes a scalar
where there is a 0-dim array, or calls a function or keyword that only NumPy has. Here each of these raises, so such
code can be tested where there is no GPU. Values are NumPy's. The stand-in is never more permissive than the library it
stands for; it is stricter where that library would copy between host and device silently. It knows nothing of tensors
and ops.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import numpy as np

from .strict_array import StrictArray, StrictUfunc, call_host, to_host

__all__ = ["MISSING", "MISSING_BEFORE_NUMPY_2", "StrictArray", "StrictNamespace", "make_namespace", "strict_namespace"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MISSING: Final = _names(
    """False_ ScalarType True_ asmatrix block bmat busday_count busday_offset busdaycalendar bytes_ char character
    clongdouble complex256 core ctypeslib datetime64 datetime_as_string datetime_data dtypes einsum_path emath
    errstate f2py flexible float128 frompyfunc fromregex geomspace get_include getbufsize geterr geterrcall
    histogram_bin_edges info insert is_busday isnat little_endian longdouble ma matrix matvec memmap
    nanpercentile nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint polynomial random
    rec recarray record sctypeDict setbufsize seterr seterrcall show_runtime spacing str_ strings test testing
    timedelta64 typecodes typing unstack vecdot vecmat void"""
)
"""What NumPy's main namespace has and the GPU library's release 14 lacks (`random` differs, so it is not modelled)."""

MISSING_BEFORE_NUMPY_2: Final = _names(
    """acos acosh apply_over_axes asin asinh astype atan atan2 atanh bitwise_count bitwise_invert
    bitwise_left_shift bitwise_right_shift bool concat cumulative_prod cumulative_sum exceptions isdtype long
    matrix_transpose permute_dims pow put_along_axis trapezoid ulong unique_all unique_counts unique_inverse
    unique_values"""
)
"""What its release 13 lacks besides."""

_MISSING_LINALG: Final = _names(
    """cross diagonal matrix_norm multi_dot outer svdvals tensordot test trace vecdot vector_norm"""
)

_NOT_MODELLED: Final = _names(
    """apply_along_axis apply_over_axes fromfunction piecewise poly1d polynomial random testing vectorize"""
)

_HOST_ANSWERS: Final = _names(
    """array2string array_repr array_str broadcast_shapes can_cast common_type get_printoptions iscomplexobj
    isdtype isrealobj isscalar issubdtype may_share_memory min_scalar_type mintypecode ndim promote_types
    result_type set_printoptions shape shares_memory size"""
)
_HOST_CLASSES: Final = (np.dtype, np.finfo, np.iinfo)


def _creator(name: str) -> Callable[..., Any]:
    """`asarray` and its like: the one way for a host array onto the device, always by a copy."""
    function = getattr(np, name)

    def create(a: Any, dtype: Any = None, **keywords: Any) -> StrictArray:
        if isinstance(a, StrictArray):
            host = function(a._host, dtype=dtype, **keywords)
            return a if host is a._host else StrictArray(host)
        host = np.array(function(a if isinstance(a, np.ndarray) else to_host(a), dtype=dtype, **keywords))
        if host.dtype.kind not in "biufc" and host.dtype.name != "bfloat16":
            raise ValueError(f"Unsupported dtype {host.dtype}")
        return StrictArray(host)

    return create


def _needs_device_condition(condition: Any, *args: Any, **keywords: Any) -> Any:
    if not isinstance(condition, StrictArray):
        raise TypeError(f"where(): the condition must be a device array, got {type(condition)}")
    return call_host(np.where, "where", (condition, *args), keywords)


def _needs_host_repeats(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if isinstance(repeats, StrictArray):
        raise TypeError("repeat(): `repeats` must be an int or a sequence of ints on the host, got a device array")
    return call_host(np.repeat, "repeat", (a, repeats, axis), {})


def _as_strided(x: StrictArray, shape: Any = None, strides: Any = None) -> StrictArray:
    """A view of the memory from `x` on; strides count bytes."""
    return StrictArray(np.lib.stride_tricks.as_strided(x._host, shape, strides))


def _sliding_window_view(x: StrictArray, window_shape: Any, axis: Any = None) -> StrictArray:
    return StrictArray(np.lib.stride_tricks.sliding_window_view(x._host, window_shape, axis))


def _as_host(a: Any) -> np.ndarray[Any, Any]:
    """The explicit way off the device."""
    return a.get() if isinstance(a, StrictArray) else np.asarray(a)


def _wrapped(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    if name in _HOST_ANSWERS:
        return lambda *args, **keywords: function(*map(to_host, args), **keywords)

    def call(*args: Any, **keywords: Any) -> Any:
        return call_host(function, name, args, keywords)

    call.__name__ = name
    return call


class StrictNamespace:
    """A module's functions over device arrays; each is made when it is first asked for.

    `missing` names what the host's module has and the device's lacks: asking for one raises AttributeError.
    """

    def __init__(
        self, module: ModuleType = np, missing: frozenset[str] = MISSING, given: dict[str, Any] | None = None
    ) -> None:
        self._module = module
        self._missing = missing
        vars(self).update(given or {})

    def __repr__(self) -> str:
        return f"<strict namespace over {self._module.__name__}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in self._missing or name in _NOT_MODELLED or not hasattr(self._module, name):
            reason = "is not modelled" if name in _NOT_MODELLED else "does not exist"
            raise AttributeError(f"{name!r} {reason} in the device's namespace", name=name, obj=self)
        made = self._make(name, getattr(self._module, name))
        setattr(self, name, made)
        return made

    def _make(self, name: str, value: Any) -> Any:
        if isinstance(value, np.ufunc):
            return StrictUfunc(value)
        if isinstance(value, type):
            if issubclass(value, (np.generic, *_HOST_CLASSES)):
                return value
        elif not isinstance(value, ModuleType):
            return _wrapped(value, name) if callable(value) else value
        raise AttributeError(f"{name!r} is not modelled in the device's namespace", name=name, obj=self)


class _Device:
    """The one device, as a context in which arrays are made."""

    def __init__(self, id: int = 0) -> None:
        if id != 0:
            raise ValueError(f"there is one device, got {id}")
        self.id = id

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *error: object) -> None:
        del error

    def synchronize(self) -> None:
        """Nothing is ever under way."""


def make_namespace(missing: frozenset[str] = MISSING) -> StrictNamespace:
    """A namespace over device arrays without the functions in `missing`, with what the library adds to NumPy's."""
    stream = SimpleNamespace(synchronize=lambda: None, ptr=0)
    given: dict[str, Any] = {name: _creator(name) for name in ("array", "asarray", "asanyarray")}
    given |= {name: _creator(name) for name in ("ascontiguousarray", "asfortranarray")}
    given |= {
        "ndarray": StrictArray,
        "asnumpy": _as_host,
        "where": _needs_device_condition,
        "repeat": _needs_host_repeats,
        "linalg": StrictNamespace(np.linalg, _MISSING_LINALG),
        "fft": StrictNamespace(np.fft, frozenset({"test"})),
        "lib": SimpleNamespace(
            stride_tricks=SimpleNamespace(as_strided=_as_strided, sliding_window_view=_sliding_window_view)
        ),
        "cuda": SimpleNamespace(
            Device=_Device,
            Stream=SimpleNamespace(null=stream),
            get_current_stream=lambda: stream,
            is_available=lambda: True,
            runtime=SimpleNamespace(getDeviceCount=lambda: 1),
        ),
    }
    return StrictNamespace(np, missing, {name: made for name, made in given.items() if name not in missing})


strict_namespace: Final = make_namespace()
