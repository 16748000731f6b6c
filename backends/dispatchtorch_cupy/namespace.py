"""CuPy's functions under the array API standard's names and keywords, also where it has only NumPy's older ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Namespace"]

_OLDER: Final = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "bool": "bool_",
    "concat": "concatenate",
    "permute_dims": "transpose",
    "pow": "power",
}


class Namespace:
    """The module, and what it lacks of the standard; each name is looked up once."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __repr__(self) -> str:
        return f"<array API names over {self._module!r}>"

    def __getattr__(self, name: str) -> Any:
        found = None if name in _REPLACED else getattr(self._module, name, None)
        if found is None:
            if name in _REPLACED:
                found = _over(_REPLACED[name], self._module)
            elif name in _OLDER:
                found = getattr(self._module, _OLDER[name])
            elif name in _WRITTEN:
                found = _over(_WRITTEN[name], self._module)
            else:
                raise AttributeError(f"{name!r} is in neither cupy nor the names added to it", name=name, obj=self)
        setattr(self, name, found)
        return found


def _over(function: Callable[..., Any], module: Any) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        return function(module, *args, **keywords)

    call.__name__ = function.__name__.strip("_")
    return call


def _astype(xp: Any, x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.astype(dtype, copy=copy)


def _matrix_transpose(xp: Any, x: Any, /) -> Any:
    return xp.swapaxes(x, -1, -2)


def _vecdot(xp: Any, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return xp.sum(xp.conj(x1) * x2, axis=axis)


def _unstack(xp: Any, x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    moved = xp.moveaxis(x, axis, 0)
    return tuple([moved[i] for i in range(moved.shape[0])])


def _cumulative_sum(xp: Any, x: Any, /, *, axis: int = 0, dtype: Any = None) -> Any:
    return xp.cumsum(x, axis=axis, dtype=dtype)


def _cumulative_prod(xp: Any, x: Any, /, *, axis: int = 0, dtype: Any = None) -> Any:
    return xp.cumprod(x, axis=axis, dtype=dtype)


def _put_along_axis(xp: Any, arr: Any, indices: Any, values: Any, axis: int) -> None:
    places = []
    for dim, size in enumerate(indices.shape):
        shape = [1] * indices.ndim
        shape[dim] = size
        places.append(xp.arange(size).reshape(tuple(shape)))
    places[axis] = indices
    arr[tuple(places)] = values


def _argsort(xp: Any, x: Any, /, *, axis: int = -1, stable: bool = True, descending: bool = False) -> Any:
    del stable  # it always is
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(x, axis=axis), axis=axis, kind="stable"), axis=axis)


def _sort(xp: Any, x: Any, /, *, axis: int = -1, stable: bool = True, descending: bool = False) -> Any:
    del stable  # as above
    out = xp.sort(x, axis=axis)
    return xp.flip(out, axis=axis) if descending else out


def _asarray(xp: Any, obj: Any, /, dtype: Any = None, *, copy: bool | None = None) -> Any:
    return xp.array(obj, dtype=dtype, copy=True) if copy else xp.asarray(obj, dtype=dtype)


_REPLACED: Final[dict[str, Callable[..., Any]]] = {"argsort": _argsort, "asarray": _asarray, "sort": _sort}

_WRITTEN: Final[dict[str, Callable[..., Any]]] = {
    function.__name__[1:]: function
    for function in (
        _astype,
        _cumulative_prod,
        _cumulative_sum,
        _matrix_transpose,
        _put_along_axis,
        _unstack,
        _vecdot,
    )
}
