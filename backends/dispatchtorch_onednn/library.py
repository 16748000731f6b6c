"""oneDNN through its C interface: what is needed to make a primitive and to run it on numpy arrays.

A primitive belongs to one thread: its memories are pointed at the arrays of each call. Must not know: which arguments
torch's operations have.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from dispatchtorch.plugin import Kernel

__all__ = ["Convolution", "Plain", "Unsupported", "adding", "around", "description", "kept", "load", "plain"]

Ints = tuple[int, ...]
T = TypeVar("T")
_LIMIT: Final = 1024  # primitives a thread keeps
_ADD: Final = 0x1FFF0
_CPU, _IN_ORDER, _FLOAT32, _ANY, _DIRECT, _TRAINING = 1, 1, 3, 1, 1, 64
_SRC, _DST, _WEIGHTS, _BIAS, _DIFF_SRC, _DIFF_DST, _DIFF_WEIGHTS = 1, 17, 33, 41, 129, 145, 161
_ASK_SRC, _ASK_DIFF_SRC, _ASK_WEIGHTS, _ASK_DIFF_WEIGHTS, _ASK_DST, _ASK_DIFF_DST = 129, 130, 131, 132, 133, 134
_Pointer = ctypes.c_void_p


class Unsupported(Exception):
    """oneDNN has no such primitive."""


class _Argument(ctypes.Structure):
    _fields_ = [("index", ctypes.c_int), ("memory", _Pointer)]


class _Stage(NamedTuple):
    """A memory in the layout that oneDNN chose, and the reorder between it and a plain array."""

    reorder: Any
    arguments: Any
    memory: Any
    size: int


@cache
def load() -> Any:
    """Returns the library; ImportError with the command that installs it."""
    names = [str(Path(root) / "lib" / "libdnnl.so.3") for root in (sys.prefix, sys.base_prefix)]
    found = ctypes.util.find_library("dnnl")
    for name in [n for n in names if Path(n).exists()] + ([found] if found else []):
        library = ctypes.CDLL(name)
        library.dnnl_primitive_desc_query_md.restype = _Pointer
        library.dnnl_memory_desc_get_size.restype = ctypes.c_size_t
        library.dnnl_memory_set_data_handle.argtypes = (_Pointer, _Pointer)
        library.dnnl_primitive_execute.argtypes = (_Pointer, _Pointer, ctypes.c_int, _Pointer)
        return library
    raise ImportError("libdnnl.so.3 was not found: pip install 'dispatchtorch[onednn]'")


def around(kernels: Mapping[str, Kernel]) -> Callable[[str, Kernel], Kernel]:
    """Returns what gives an op its kernel of ``kernels``, which takes what it hands on to before its arguments."""

    def wrapped(op: str, kernel: Kernel) -> Kernel:
        load()
        return partial(kernels[op], kernel)

    return wrapped


def _made(status: int) -> None:
    if status:
        raise Unsupported(f"oneDNN answered {status}")


@cache
def _engine() -> Any:
    out = _Pointer()
    _made(load().dnnl_engine_create(ctypes.byref(out), _CPU, ctypes.c_size_t(0)))
    return out


class _Kept(threading.local):
    def __init__(self) -> None:
        self.primitives: dict[tuple[Any, ...], Any] = {}


_kept: Final = _Kept()


def kept(make: Callable[..., T], *facts: Any) -> T | None:
    """Returns what ``make(*facts)`` gave this thread the first time, None where oneDNN has no such primitive."""
    known, key = _kept.primitives, (make, *facts)
    if key not in known:
        if len(known) >= _LIMIT:
            return None
        try:
            known[key] = make(*facts)
        except Unsupported:
            known[key] = None
    found: T | None = known[key]
    return found


def _numbers(values: Ints) -> Any:
    return (ctypes.c_int64 * len(values))(*values)


@cache
def plain(shape: Ints) -> Any:
    """Returns the description of an array in C order."""
    strides = [1]
    for n in shape[:0:-1]:
        strides.insert(0, strides[0] * n)
    out = _Pointer()
    made = load().dnnl_memory_desc_create_with_strides
    _made(made(ctypes.byref(out), len(shape), _numbers(shape), _FLOAT32, _numbers(tuple(strides))))
    return out


def _free(shape: Ints) -> Any:
    """Returns the description of an array whose layout oneDNN may choose."""
    out = _Pointer()
    _made(load().dnnl_memory_desc_create_with_tag(ctypes.byref(out), len(shape), _numbers(shape), _FLOAT32, _ANY))
    return out


def _memory(description: Any) -> Any:
    out = _Pointer()
    _made(load().dnnl_memory_create(ctypes.byref(out), description, _engine(), _Pointer(0)))
    return out


def _arguments(pairs: list[tuple[int, Any]]) -> Any:
    return (_Argument * len(pairs))(*[_Argument(index, memory) for index, memory in pairs])


_letter: Final = ctypes.c_char


def _address(array: Any) -> int:
    """Returns the address of a dense array's first element; `ndarray.ctypes` takes three times as long."""
    if array.flags.writeable:
        return ctypes.addressof(_letter.from_buffer(array))
    address: int = array.ctypes.data
    return address


def _point(memory: Any, array: Any) -> None:
    load().dnnl_memory_set_data_handle(memory, _address(array))


def description(name: str, *facts: Any) -> Any:
    """Returns the description of the primitive that oneDNN has under this name; Unsupported where it has none."""
    out = _Pointer()
    _made(getattr(load(), f"dnnl_{name}_primitive_desc_create")(ctypes.byref(out), _engine(), *facts))
    return out


def adding(term: Any) -> Any:
    """Returns the attribute that adds an array of this description to a primitive's result."""
    entries, out = _Pointer(), _Pointer()
    library = load()
    _made(library.dnnl_post_ops_create(ctypes.byref(entries)))
    _made(library.dnnl_post_ops_append_binary(entries, _ADD, term))
    _made(library.dnnl_primitive_attr_create(ctypes.byref(out)))
    _made(library.dnnl_primitive_attr_set_post_ops(out, entries))
    return out


class Plain:
    """A primitive over dense float32 arrays: its description, and index and description of each argument in order."""

    def __init__(self, chosen: Any, arguments: list[tuple[int, Any]]) -> None:
        library = load()
        self._stream, self._primitive = _Pointer(), _Pointer()
        _made(library.dnnl_stream_create(ctypes.byref(self._stream), _engine(), _IN_ORDER))
        _made(library.dnnl_primitive_create(ctypes.byref(self._primitive), chosen))
        self._memories = [_memory(one).value for _, one in arguments]
        self._given = _arguments([(index, memory) for (index, _), memory in zip(arguments, self._memories)])
        self._point, self._execute = library.dnnl_memory_set_data_handle, library.dnnl_primitive_execute

    def run(self, *arrays: Any) -> None:
        """Runs it on dense float32 arrays, in the order of the arguments; results are written into theirs."""
        point = self._point
        for memory, array in zip(self._memories, arrays, strict=True):
            point(memory, _address(array))
        _made(self._execute(self._primitive, self._stream, len(arrays), self._given))


class Convolution:
    """One convolution of fixed sizes: ``kind`` is ``forward``, or the gradient of the ``input`` or of the ``weight``.

    The shapes are those of the forward convolution; Unsupported where oneDNN has none.
    """

    def __init__(
        self,
        kind: str,
        image: Ints,
        weight: Ints,
        result: Ints,
        stride: Ints,
        padding: Ints,
        dilation: Ints,
        groups: int,
        bias: bool,
    ) -> None:
        library, engine = load(), _engine()
        if groups > 1:
            weight = (groups, weight[0] // groups, *weight[1:])
        after = tuple(  # what is padded behind, so that the sizes agree
            [
                (o - 1) * s + d * (k - 1) + 1 - n - p
                for n, o, k, s, p, d in zip(image[2:], result[2:], weight[-len(stride) :], stride, padding, dilation)
            ]
        )
        facts = [_numbers(v) for v in (stride, tuple([d - 1 for d in dilation]), padding, after)]
        x, w, y = _free(image), _free(weight), _free(result)
        vector = plain((result[1],)) if bias else None
        forward, chosen = _Pointer(), _Pointer()
        made = library.dnnl_convolution_forward_primitive_desc_create
        _made(made(ctypes.byref(forward), engine, _TRAINING, _DIRECT, x, w, vector, y, *facts, None))
        if kind == "forward":
            chosen, inputs = forward, [(_SRC, _ASK_SRC, image), (_WEIGHTS, _ASK_WEIGHTS, weight)]
            output = (_DST, _ASK_DST, result)
        elif kind == "input":
            made = library.dnnl_convolution_backward_data_primitive_desc_create
            _made(made(ctypes.byref(chosen), engine, _DIRECT, x, w, y, *facts, forward, None))
            inputs = [(_DIFF_DST, _ASK_DIFF_DST, result), (_WEIGHTS, _ASK_WEIGHTS, weight)]
            output = (_DIFF_SRC, _ASK_DIFF_SRC, image)
        else:
            made = library.dnnl_convolution_backward_weights_primitive_desc_create
            _made(made(ctypes.byref(chosen), engine, _DIRECT, x, w, None, y, *facts, forward, None))
            inputs = [(_SRC, _ASK_SRC, image), (_DIFF_DST, _ASK_DIFF_DST, result)]
            output = (_DIFF_WEIGHTS, _ASK_DIFF_WEIGHTS, weight)
        self._stream, self._primitive = _Pointer(), _Pointer()
        _made(library.dnnl_stream_create(ctypes.byref(self._stream), engine, _IN_ORDER))
        _made(library.dnnl_primitive_create(ctypes.byref(self._primitive), chosen))
        self._arrays: list[Any] = []  # memories that are pointed at a call's arrays
        self._stages: list[_Stage | None] = []
        pairs = []
        for index, ask, shape in [*inputs, output]:
            dense, wanted = plain(shape), _Pointer(library.dnnl_primitive_desc_query_md(chosen, ask, 0))
            self._arrays.append(_memory(dense))
            self._stages.append(self._stage(dense, wanted, outwards=index == output[0]))
            stage = self._stages[-1]
            pairs.append((index, self._arrays[-1] if stage is None else stage.memory))
        self._bias = _memory(vector) if bias and kind == "forward" else None
        if self._bias is not None:
            pairs.append((_BIAS, self._bias))
        self._given = _arguments(pairs)

    def _stage(self, dense: Any, wanted: Any, *, outwards: bool) -> _Stage | None:
        """Returns the layout that oneDNN wants for the array that was added last; None where it wants that one."""
        library, engine = load(), _engine()
        if library.dnnl_memory_desc_equal(dense, wanted):
            return None
        memory, description, reorder = _memory(wanted), _Pointer(), _Pointer()
        ends = (wanted, dense) if outwards else (dense, wanted)
        made = library.dnnl_reorder_primitive_desc_create
        _made(made(ctypes.byref(description), ends[0], engine, ends[1], engine, None))
        _made(library.dnnl_primitive_create(ctypes.byref(reorder), description))
        first, second = (memory, self._arrays[-1]) if outwards else (self._arrays[-1], memory)
        size = library.dnnl_memory_desc_get_size(wanted) // 4
        return _Stage(reorder, _arguments([(_SRC, first), (_DST, second)]), memory, size)

    def run(self, first: Any, second: Any, bias: Any, out: Any) -> None:
        """Writes the result of dense float32 arrays into ``out``."""
        library, stream = load(), self._stream
        execute = library.dnnl_primitive_execute
        kept = []  # no memory goes before the last primitive has run
        for array, memory, stage in zip((first, second, out), self._arrays, self._stages):
            _point(memory, array)
            if stage is not None:
                kept.append(np.empty(stage.size, np.float32))
                _point(stage.memory, kept[-1])
                if array is not out:
                    _made(execute(stage.reorder, stream, 2, stage.arguments))
        if self._bias is not None:
            _point(self._bias, bias)
        _made(execute(self._primitive, stream, len(self._given), self._given))
        last = self._stages[-1]
        if last is not None:
            _made(execute(last.reorder, stream, 2, last.arguments))
        _made(library.dnnl_stream_wait(stream))
