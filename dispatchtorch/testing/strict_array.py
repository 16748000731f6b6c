"""The stand-in's array: a host array in a box that refuses what a GPU library's array refuses.

See `strict` for what it is for. It knows nothing of the namespace around it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any, ClassVar, Final, NamedTuple, NoReturn

import numpy as np

__all__ = ["StrictArray", "StrictUfunc", "call_host", "to_device", "to_host"]

_KEYWORDS_OF_HOST_ONLY: Final = frozenset(
    {"where", "initial", "subok", "like", "signature", "extobj", "mean", "device"}
)
_KEYWORDS: Final[dict[str, frozenset[str]]] = {
    "ndarray.astype": frozenset({"dtype", "order", "casting", "subok", "copy"}),
    "ndarray.clip": frozenset({"min", "max", "out"}),
    "argsort": frozenset({"axis", "kind"}),
    "clip": frozenset({"a_min", "a_max", "out"}),
    "einsum": frozenset({"dtype", "optimize"}),
    "sort": frozenset({"axis", "kind"}),
    "take": frozenset({"indices", "axis", "out"}),
    "where": frozenset({"x", "y"}),
}
_SCALARS: Final = (bool, int, float, complex, np.generic)


def _unsupported(value: object) -> NoReturn:
    raise TypeError(f"Unsupported type {type(value)}")


def to_host(value: Any) -> Any:
    """The host's array behind each device array in `value`. Raises TypeError for a host array."""
    if isinstance(value, StrictArray):
        return value._host
    if isinstance(value, np.ndarray):
        _unsupported(value)
    if type(value) in (tuple, list):
        return type(value)([to_host(item) for item in value])
    return value


def _operand(value: Any) -> Any:
    """The host's value of an operand: a device array or a number."""
    if isinstance(value, StrictArray):
        return value._host
    return value if isinstance(value, _SCALARS) else _unsupported(value)


def to_device(value: Any) -> Any:
    """`value` with each host array and number in it as a device array, which shares the host array's memory."""
    if isinstance(value, np.ndarray):
        return StrictArray(value)
    if isinstance(value, _SCALARS):
        return StrictArray(np.asarray(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(to_device, value))
    return type(value)(map(to_device, value)) if isinstance(value, tuple | list) else value


def _check_keywords(name: str, keywords: dict[str, Any]) -> None:
    allowed = _KEYWORDS.get(name)
    for keyword in keywords:
        if keyword in _KEYWORDS_OF_HOST_ONLY if allowed is None else keyword not in allowed:
            raise TypeError(f"{name}() got an unexpected keyword argument {keyword!r}")
    if name in ("sort", "argsort") and keywords.get("kind") not in (None, "stable"):
        raise ValueError(f"{name}(): only stable sorting is supported, got kind={keywords['kind']!r}")


def _index(item: Any) -> Any:
    """The host's form of a subscript. A host array is refused, for it would be copied at each use."""
    if isinstance(item, tuple):
        return tuple([_index(part) for part in item])
    if isinstance(item, StrictArray):
        return item._host
    if item is None or isinstance(item, slice | EllipsisType | bool | np.bool_ | list):
        return to_host(item)
    if isinstance(item, np.ndarray):
        _unsupported(item)
    try:
        return operator.index(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are "
            "valid indices"
        ) from None


class _Pointer(NamedTuple):
    """The place of an array's first element."""

    ptr: int
    device_id: int = 0


class _Flags(NamedTuple):
    c_contiguous: bool
    f_contiguous: bool
    owndata: bool

    @property
    def forc(self) -> bool:
        return self.c_contiguous or self.f_contiguous


class StrictUfunc:
    """An elementwise function of device arrays and numbers, with `out=` and without `where=`."""

    def __init__(self, host: np.ufunc) -> None:
        self._host = host
        self.__name__ = host.__name__
        self.nin, self.nout, self.nargs = host.nin, host.nout, host.nargs

    def __repr__(self) -> str:
        return f"<strict ufunc {self.__name__!r}>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind", **rest: Any) -> Any:
        if rest:
            raise TypeError(f"Wrong arguments {rest}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.__name__!r}. It must be either {self.nin} or {self.nargs} "
                f"(with outputs), but given {len(args)}."
            )
        outs = args[self.nin :]
        if out is not None:
            if outs:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            outs = out if isinstance(out, tuple) else (out,)
        for target in outs:
            if target is not None and not isinstance(target, StrictArray):
                raise TypeError(f"Output arguments must be device arrays, got {type(target)}")
        targets = tuple([None if target is None else target._host for target in outs]) or (None,) * self.nout
        operands = [_operand(arg) for arg in args[: self.nin]]
        with np.errstate(all="ignore"):
            result = self._host(
                *operands, out=targets + (None,) * (self.nout - len(targets)), dtype=dtype, casting=casting
            )
        if self.nout == 1:
            return outs[0] if outs and outs[0] is not None else to_device(result)
        given = outs + (None,) * (self.nout - len(outs))
        return tuple([to_device(new) if old is None else old for old, new in zip(given, result, strict=True)])

    def at(self, a: StrictArray, indices: Any, b: Any = None) -> None:
        """Apply in place at `indices`, as often as each occurs; only for functions with an atomic form."""
        if self.__name__ not in ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"):
            raise NotImplementedError(f"`{self.__name__}.at` is not supported yet")
        self._host.at(a._host, _index(indices), _operand(b))

    def outer(self, a: Any, b: Any, **keywords: Any) -> Any:
        """The function of all pairs."""
        a, b = (x if isinstance(x, StrictArray) else StrictArray(np.asarray(_operand(x))) for x in (a, b))
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **keywords)

    def reduce(
        self, array: StrictArray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """The sum or product along `axis`; other functions have no reduction."""
        self._only("reduce", "add", "multiply")
        return call_host(self._host.reduce, "reduce", (array, axis, dtype, out), {"keepdims": keepdims})

    def accumulate(self, array: StrictArray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """The running sum or product along `axis`; other functions have none."""
        self._only("accumulate", "add", "multiply")
        return call_host(self._host.accumulate, "accumulate", (array, axis, dtype, out), {})

    def reduceat(self, array: StrictArray, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """The sums of slices; other functions have none."""
        self._only("reduceat", "add")
        return call_host(self._host.reduceat, "reduceat", (array, indices, axis, dtype, out), {})

    def _only(self, method: str, *names: str) -> None:
        if self.__name__ not in names:
            raise NotImplementedError(f"`{self.__name__}.{method}` is not supported yet")


def call_host(function: Callable[..., Any], name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The device's result of a host function, whose array arguments have to live on the device."""
    _check_keywords(name, keywords)
    target = keywords.get("out")
    if isinstance(target, np.ndarray):
        _unsupported(target)
    with np.errstate(all="ignore"):
        result = function(*map(to_host, args), **{key: to_host(value) for key, value in keywords.items()})
    return target if isinstance(target, StrictArray) else to_device(result)


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np.ndarray, name)
    called = f"ndarray.{name}" if f"ndarray.{name}" in _KEYWORDS else name

    def call(self: StrictArray, *args: Any, **keywords: Any) -> Any:
        return call_host(function, called, (self, *args), keywords)

    call.__name__ = name
    return call


def _unary(name: str) -> Callable[[StrictArray], Any]:
    ufunc = StrictUfunc(getattr(np, name))
    return lambda self: ufunc(self)


def _binary(name: str) -> Callable[[StrictArray, Any], Any]:
    ufunc = StrictUfunc(getattr(np, name))
    return lambda self, other: ufunc(self, other)


def _reflected(name: str) -> Callable[[StrictArray, Any], Any]:
    ufunc = StrictUfunc(getattr(np, name))
    return lambda self, other: ufunc(other, self)


def _in_place(name: str) -> Callable[[StrictArray, Any], Any]:
    ufunc = StrictUfunc(getattr(np, name))
    return lambda self, other: ufunc(self, other, out=self)


class StrictArray:
    """An array on the stand-in's device. Views share its memory; nothing converts it to a host array but `get`."""

    __slots__ = ("__weakref__", "_host")
    __array_ufunc__: ClassVar[None] = None  # host functions leave it alone, host operators hand over to ours
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # equality is elementwise

    def __init__(self, host: np.ndarray[Any, Any]) -> None:
        self._host = host

    def get(self) -> np.ndarray[Any, Any]:
        """A copy on the host."""
        return self._host.copy()

    def set(self, host: np.ndarray[Any, Any]) -> None:
        """Copy a host array of the same shape and dtype into this one."""
        if not isinstance(host, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to a device array")
        if host.dtype != self.dtype or host.shape != self.shape:
            raise TypeError(f"{host.dtype}{host.shape} array cannot be set to {self.dtype}{self.shape} array")
        self._host[...] = host

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return NotImplemented

    def __repr__(self) -> str:
        return f"Strict{self._host!r}"

    shape = property(lambda self: self._host.shape, lambda self, shape: setattr(self._host, "shape", shape))
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: StrictArray(self._host.T))
    mT = property(lambda self: StrictArray(self._host.mT))
    data = property(lambda self: _Pointer(self._host.__array_interface__["data"][0]))
    real = property(lambda self: StrictArray(self._host.real), lambda self, value: self._assign("real", value))
    imag = property(lambda self: StrictArray(self._host.imag), lambda self, value: self._assign("imag", value))

    def _assign(self, part: str, value: Any) -> None:
        setattr(self._host, part, _operand(value))

    @property
    def base(self) -> StrictArray | None:
        """The array whose memory this view shares."""
        base = self._host.base
        return StrictArray(base) if isinstance(base, np.ndarray) else None

    @property
    def flags(self) -> _Flags:
        """How the elements lie."""
        flags = self._host.flags
        return _Flags(flags.c_contiguous, flags.f_contiguous, flags.owndata)

    def __getitem__(self, item: Any) -> StrictArray:
        index = _index(item)
        parts = index if isinstance(index, tuple) else (index,)
        basic = all(part is None or isinstance(part, slice | EllipsisType | int) for part in parts)
        whole = any(part is Ellipsis for part in parts)
        return StrictArray(np.asarray(self._host[(*parts, ...) if basic and not whole else index]))

    def __setitem__(self, item: Any, value: Any) -> None:
        with np.errstate(all="ignore"):
            self._host[_index(item)] = _operand(value)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[StrictArray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[place] for place in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self._host.item()

    def tolist(self) -> Any:
        """The elements as Python numbers in nested lists."""
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The elements' bytes."""
        return self._host.tobytes(order)

    def fill(self, value: Any) -> None:
        """Set every element to one value."""
        host = value._host if isinstance(value, StrictArray) else np.asarray(value)
        if host.shape != ():
            raise ValueError("a non-scalar array cannot be used for fill")
        self._host.fill(host.astype(self.dtype))

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort in place."""
        _check_keywords("sort", {"kind": kind})
        self._host.sort(axis=axis, kind="stable")

    def dot(self, b: StrictArray, out: StrictArray | None = None) -> StrictArray:
        """The dot product with another device array."""
        if not isinstance(b, StrictArray):
            raise TypeError(f"Argument 'b' has incorrect type (got {type(b)})")
        return StrictArray(np.asarray(call_host(np.dot, "dot", (self, b), {"out": out})._host))

    def __copy__(self) -> StrictArray:
        return StrictArray(self._host.copy())

    def __deepcopy__(self, memo: Any) -> StrictArray:
        return StrictArray(self._host.copy())

    def __reduce__(self) -> Any:
        return StrictArray, (self.get(),)

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argpartition = _method("argpartition")
    argsort = _method("argsort")
    astype = _method("astype")
    choose = _method("choose")
    clip = _method("clip")
    compress = _method("compress")
    conj = _method("conj")
    conjugate = _method("conjugate")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    flatten = _method("flatten")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    nonzero = _method("nonzero")
    partition = _method("partition")
    prod = _method("prod")
    put = _method("put")
    ravel = _method("ravel")
    repeat = _method("repeat")
    reshape = _method("reshape")
    round = _method("round")
    searchsorted = _method("searchsorted")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    trace = _method("trace")
    transpose = _method("transpose")
    var = _method("var")
    view = _method("view")

    __neg__ = _unary("negative")
    __pos__ = _unary("positive")
    __abs__ = _unary("absolute")
    __invert__ = _unary("invert")
    __eq__ = _binary("equal")
    __ne__ = _binary("not_equal")
    __lt__ = _binary("less")
    __le__ = _binary("less_equal")
    __gt__ = _binary("greater")
    __ge__ = _binary("greater_equal")
    __add__ = _binary("add")
    __sub__ = _binary("subtract")
    __mul__ = _binary("multiply")
    __truediv__ = _binary("true_divide")
    __floordiv__ = _binary("floor_divide")
    __mod__ = _binary("remainder")
    __pow__ = _binary("power")
    __matmul__ = _binary("matmul")
    __lshift__ = _binary("left_shift")
    __rshift__ = _binary("right_shift")
    __and__ = _binary("bitwise_and")
    __or__ = _binary("bitwise_or")
    __xor__ = _binary("bitwise_xor")
    __divmod__ = _binary("divmod")
    __radd__ = _reflected("add")
    __rsub__ = _reflected("subtract")
    __rmul__ = _reflected("multiply")
    __rtruediv__ = _reflected("true_divide")
    __rfloordiv__ = _reflected("floor_divide")
    __rmod__ = _reflected("remainder")
    __rpow__ = _reflected("power")
    __rmatmul__ = _reflected("matmul")
    __rlshift__ = _reflected("left_shift")
    __rrshift__ = _reflected("right_shift")
    __rand__ = _reflected("bitwise_and")
    __ror__ = _reflected("bitwise_or")
    __rxor__ = _reflected("bitwise_xor")
    __rdivmod__ = _reflected("divmod")
    __iadd__ = _in_place("add")
    __isub__ = _in_place("subtract")
    __imul__ = _in_place("multiply")
    __itruediv__ = _in_place("true_divide")
    __ifloordiv__ = _in_place("floor_divide")
    __imod__ = _in_place("remainder")
    __ipow__ = _in_place("power")
    __imatmul__ = _in_place("matmul")
    __ilshift__ = _in_place("left_shift")
    __irshift__ = _in_place("right_shift")
    __iand__ = _in_place("bitwise_and")
    __ior__ = _in_place("bitwise_or")
    __ixor__ = _in_place("bitwise_xor")
