"""The calls that the kit makes: every op and every function over ops that has samples, with inputs from torch's stream.

Inputs depend on the op's name and the sample's number alone, so the recorder of goldens makes the same ones. Knows the
op table; knows no backend but the one that is selected.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import by_name
from dispatchtorch.dispatch.general import general
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.table import COMPOSITES, FUNCTIONS, METHODS, TABLE
from dispatchtorch.ops import FAMILIES
from dispatchtorch.ops.samples import Sample, Sampler
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.testing.conformance.extra_samples import SAMPLES

__all__ = ["Case", "SampleMaker", "cases", "checksum", "cotangent", "leaves", "tensors_in"]

Host = np.ndarray[Any, Any]
assert FAMILIES  # the table is declared when the families are imported


class SampleMaker:
    """Makes inputs on the selected backend; what a sampler leaves at float32 gets the dtype under test."""

    def __init__(self, name: str, dtype: str) -> None:
        self._engine = Generator().manual_seed(zlib.crc32(name.encode())).engine
        self._dtype = dtype

    def __call__(self, *shape: int, dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> Tensor:
        """Returns a tensor of values in [low, high), the same on every backend."""
        wide = self._dtype in ("float64", "complex128")
        if dtype == "float32":
            dtype = self._dtype
        elif dtype == "complex64" and wide:
            dtype = "complex128"
        host = self._values(shape, dtype, low, high)
        backend = default_backend()
        return interop.from_host(host, Device(backend.devices[0]), backend)

    def _values(self, shape: Sequence[int], dtype: str, low: float, high: float) -> Host:
        first = self._draw(shape, low, high)
        if dtype.startswith("complex"):
            return (first + 1j * self._draw(shape, low, high)).astype(dtype)
        if dtype == "bool":
            return np.asarray(first > (low + high) / 2)
        kind = interop.host_dtype(by_name(dtype))
        if by_name(dtype).is_floating_point:
            return first.astype(np.float32).astype(kind)
        start, stop = math.ceil(low), math.ceil(high)
        if kind.kind == "u":
            start, stop = max(start, 0), max(stop, 1)
        unit = (first - low) / (high - low)
        return np.clip(np.floor(start + unit * (stop - start)), start, stop - 1).astype(kind)

    def _draw(self, shape: Sequence[int], low: float, high: float) -> Host:
        return np.asarray(streams.uniform(self._engine, tuple(shape), "float64", low, high))


@dataclass(frozen=True, slots=True)
class Case:
    """One op, or one function over ops, and its samples."""

    name: str
    function: Callable[..., Any]
    sampler: Sampler
    family: str
    op: Op | None  # None: a function over ops

    def samples(self, dtype: str = "float32") -> list[Sample]:
        """Returns fresh calls; each time the same values."""
        return list(self.sampler(SampleMaker(self.name.strip("_"), dtype)))

    @property
    def inplace(self) -> Callable[..., Any] | None:
        """Returns the in-place form, None where there is none."""
        return None if self.name.startswith("_") else METHODS.get(self.name + "_")

    @property
    def with_out(self) -> Callable[..., Any] | None:
        """Returns the form that takes ``out=``, None where there is none."""
        public = FUNCTIONS.get(self.name)
        return public if "out" in (getattr(public, "__kwdefaults__", None) or {}) else None

    @property
    def method(self) -> Callable[..., Any] | None:
        """Returns the method, None where there is none or where it is a property."""
        found = None if self.name.startswith("_") else METHODS.get(self.name)
        return found if callable(found) else None


def _entry(op: Op) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through."""
    for found in (
        getattr(sys.modules[op.body.__module__], op.name, None),
        FUNCTIONS.get(op.name),
        METHODS.get(op.name),
    ):
        inner = getattr(found, "__wrapped__", found)
        if getattr(inner, "op", None) is op:
            found_entry: Callable[..., Any] = inner  # type: ignore[assignment]  # it has an op, so it is an entry of the table
            return found_entry

    def entry(*args: Any, **kwargs: Any) -> Any:
        return general(op, op.bind_arguments(args, kwargs))

    return entry


def _family(module: str) -> str:
    return module.rpartition(".")[2]


@cache
def cases() -> dict[str, Case]:
    """Returns all cases by name."""
    found: dict[str, Case] = {}
    for name, op in TABLE.items():
        sampler = op.samples or SAMPLES.get(name)
        if sampler is not None:
            found[name] = Case(name, _entry(op), sampler, _family(op.body.__module__), op)
    for name, body in COMPOSITES.items():
        sampler = getattr(body, "samples", None) or SAMPLES.get(name)
        if sampler is not None and name not in found:
            found[name] = Case(name, FUNCTIONS.get(name, body), sampler, _family(body.__module__), None)
    return dict(sorted(found.items()))


def leaves(value: Any) -> Iterator[Any]:
    """Yields what a result or an argument list consists of: tensors and plain values, containers opened."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def tensors_in(sample: Sample) -> list[Tensor]:
    """Returns the tensors among a call's arguments, in order."""
    return [x for x in leaves((sample.args, dict(sample.kwargs))) if isinstance(x, Tensor)]


def checksum(sample: Sample) -> int:
    """Returns a number that changes with the call's arguments."""
    total = 0
    for x in leaves((sample.args, dict(sample.kwargs))):
        if isinstance(x, Tensor):
            host = interop.to_host(x)
            text = np.ascontiguousarray(host).tobytes() + repr((host.shape, x.dtype)).encode()
        else:
            text = repr(x).encode()
        total = zlib.crc32(text, total)
    return total


def cotangent(shape: Sequence[int], kind: str, number: int) -> Host:
    """Returns the gradient that the kit sends into output ``number``: small exact numbers, signs without a pattern."""
    steps = np.arange(math.prod(shape), dtype=np.float64)
    values = ((steps * 7 + number * 3) % 11 - 4) / 4
    if kind.startswith("complex"):
        return (values + 1j * ((steps * 5 + 1) % 7 - 2) / 4).reshape(shape)
    return values.reshape(shape)
