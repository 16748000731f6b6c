"""Batching rules: for each op a kernel of the level, which calls ops of the backend below once for all examples.

Elementwise ops have one rule, ops that are composed of others none, since their body is run on batched tensors.
What has no rule is run example by example: right, if slow.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, float32
from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, held, padded, size_of
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.lifting import lift
from dispatchtorch.dispatch.op import LIST, TABLE, TENSOR, Op
from dispatchtorch.plugin.backend import Backend, Kernel
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["Rules"]

for _family in ("shift", "shapes", "products", "indices", "layers", "losses", "dynamic", "loop"):
    importlib.import_module(f"{__name__}.{_family}")


class Rules(Mapping[str, Kernel]):
    """The kernels of a level, made when they are asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getitem__(self, name: str) -> Kernel:
        op = TABLE[name]
        if TENSOR not in op.kinds and LIST not in op.kinds:
            return _creating(op, self._backend)
        return _kernel(op, self._backend)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)


def _creating(op: Op, backend: Backend) -> Kernel:
    """Returns a kernel that makes the same tensor for every example."""
    below = backend.below
    assert below is not None  # a level stands on something
    root = below
    while root.below is not None:
        root = root.below

    def kernel(*args: Any) -> Batched:
        dtype = next((a for a in args if isinstance(a, DType)), float32)
        key = intern_key(below, Device(root.devices[0]), dtype, False)
        return Batched(create(op, key, args), False)

    kernel.__name__ = op.name
    return kernel


def _kernel(op: Op, backend: Backend) -> Kernel:
    given = RULES.get(op.name)
    if given is not None:
        chosen = given
    elif op.pointwise:
        chosen = _elementwise
    elif op.decomposed:
        chosen = _body(backend)
    else:
        chosen = RULES["*"]
    opaque = op.decomposed and not op.grad  # has no derivative but that of its body

    def kernel(*args: Any) -> Any:
        size = size_of(args)
        if size is not None:
            return chosen(op, size, *args)
        inner = [_inner(a) for a in args]
        return held(op.body(*inner) if opaque else op.entry(*inner), False)

    kernel.__name__ = op.name
    return kernel


def _inner(a: Any) -> Any:
    if isinstance(a, Batched):
        return a.inner
    if isinstance(a, (list, tuple)) and a and isinstance(a[0], Batched):
        return [member.inner for member in a]
    return a


def _elementwise(op: Op, size: int, *args: Any) -> Batched:
    """Returns the op's values: dimensions of examples are lined up from the last, as they would be without a level."""
    rank = max([a.ndim for a in args if isinstance(a, Batched)])
    return Batched(op.entry(*[padded(a, rank) if isinstance(a, Batched) else a for a in args]), True)


def _body(backend: Backend) -> Any:
    """Returns a rule that runs an op's body on tensors of the level."""

    def tensor(raw: Batched) -> Tensor:
        return wrap(raw, intern_key(backend, raw.inner._key.device, raw.dtype, not raw.shape))

    def lifted(a: Any) -> Any:
        if isinstance(a, Batched):
            return tensor(a)
        if isinstance(a, (list, tuple)) and a and isinstance(a[0], Batched):
            return [tensor(member) for member in a]
        return a

    def raw(t: Tensor) -> Any:
        return read(lift(t, backend))

    def run(op: Op, size: int, *args: Any) -> Any:
        out = op.body(*[lifted(a) for a in args])
        return tuple([raw(o) for o in out]) if isinstance(out, (tuple, list)) else raw(out)

    return run
