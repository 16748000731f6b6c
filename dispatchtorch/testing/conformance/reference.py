"""torch's own samples of its own ops: calls with torch's answers, taken from torch's op table and shipped as one file.

The kit's other goldens are answers to samples of *this* project's table; these are what PyTorch tests itself with. A
call is kept as a tree of plain data with arrays in a pool. The recorder is ``tests/oracle/record_reference.py``. Knows
no torch and no backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

import dispatchtorch
from dispatchtorch._base.device import Device
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.testing.conformance.cases import cotangent, leaves
from dispatchtorch.testing.pool import Pool

__all__ = ["PATH", "Reference", "check", "function_of", "references"]

PATH: Final = Path(__file__).parent / "reference.npz"
_DEFAULT: Final = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex128": (1e-7, 1e-7),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One call: the function's name after ``torch.``, its arguments, and torch's results and gradients as trees."""

    op: str
    path: str
    args: Any
    kwargs: Any
    results: Any
    grads: Any
    tolerance: Sequence[float] | None  # rtol and atol where torch's own tests allow more than usual


@cache
def _file() -> tuple[Pool, dict[str, list[Reference]]]:
    pool, index = Pool.read(PATH)
    found: dict[str, list[Reference]] = {}
    for entry in index:
        one = Reference(*entry)
        found.setdefault(one.op, []).append(one)
    return pool, found


def references() -> dict[str, list[Reference]]:
    """Returns the recorded calls by the name of torch's entry."""
    return _file()[1]


def function_of(path: str) -> Any:
    """Returns the function of a dotted name."""
    found: Any = dispatchtorch
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _tensor(pool: Pool, place: int, shape: Sequence[int], kind: str, requires: bool) -> Tensor:
    backend = default_backend()
    host = pool.values(place, shape, kind).astype(interop.host_dtype(getattr(dispatchtorch, kind)))
    made = interop.from_host(np.array(host), Device(backend.devices[0]), backend)
    return made.requires_grad_() if requires else made


def _value(pool: Pool, tree: Any) -> Any:
    """Returns the value that a tree stands for."""
    if isinstance(tree, list):
        return [_value(pool, member) for member in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, what),) = tree.items()
    if kind == "tensor":
        return _tensor(pool, *what)
    if kind == "tuple":
        return tuple(_value(pool, member) for member in what)
    if kind == "dict":
        return {key: _value(pool, member) for key, member in what}
    if kind == "word":
        return getattr(dispatchtorch, what)
    if kind == "device":
        return dispatchtorch.device(default_backend().devices[0])
    if kind == "slice":
        return slice(*what)
    if kind == "complex":
        return complex(*what)
    if kind == "float":
        return float(what)
    raise ValueError(f"a tree of kind {kind!r}: the file is of another version")


def check(one: Reference, pool: Pool | None = None) -> None:
    """Asserts that a call gives torch's results and, where recorded, torch's gradients; arrays are the file's."""
    pool = pool or _file()[0]
    args, kwargs = _value(pool, one.args), _value(pool, one.kwargs)
    dispatchtorch.manual_seed(1)
    got = list(leaves(function_of(one.path)(*args, **kwargs)))
    assert len(got) == len(one.results), f"{len(got)} results, not {len(one.results)}"
    for i, (leaf, tree) in enumerate(zip(got, one.results, strict=True)):
        _same(pool, leaf, tree, one.tolerance, f"result {i}")
    if one.grads is None:
        return
    inputs = [t for t in leaves((args, kwargs)) if isinstance(t, Tensor) and t.requires_grad]
    roots = [(i, r) for i, r in enumerate(got) if isinstance(r, Tensor) and r.requires_grad]
    seeds = []
    for i, r in roots:
        host = cotangent(tuple(r.shape), r.dtype.name, i).astype(interop.host_dtype(r.dtype))
        backend = default_backend()
        seeds.append(interop.from_host(np.asarray(host), Device(backend.devices[0]), backend))
    found = dispatchtorch.autograd.grad([r for _, r in roots], inputs, seeds, allow_unused=True)
    for i, (g, tree) in enumerate(zip(found, one.grads, strict=True)):
        if tree is None or g is None:
            zero = g if tree is None else _value(pool, tree)
            assert zero is None or not np.any(interop.to_host(zero)), f"gradient {i}: {g}, not {tree}"
        else:
            _same(pool, g, tree, one.tolerance, f"gradient {i}")


def _same(pool: Pool, leaf: Any, tree: Any, tolerance: Sequence[float] | None, what: str) -> None:
    if not (isinstance(tree, dict) and "tensor" in tree):
        wanted = _value(pool, tree)
        same = np.isclose(leaf, wanted, 1e-6, 1e-6, equal_nan=True) if isinstance(wanted, float) else leaf == wanted
        assert same, f"{what}: {leaf!r}, not {wanted!r}"
        return
    place, shape, kind, _ = tree["tensor"]
    assert isinstance(leaf, Tensor), f"{what}: {type(leaf).__name__}, not a tensor"
    assert leaf.dtype.name == kind, f"{what}: dtype {leaf.dtype.name}, not {kind}"
    assert tuple(leaf.shape) == tuple(shape), f"{what}: shape {tuple(leaf.shape)}, not {tuple(shape)}"
    wanted = pool.values(place, shape, kind)
    rtol, atol = _DEFAULT.get(kind, (1.3e-6, 1e-5))
    if tolerance:
        rtol, atol = max(rtol, tolerance[0]), max(atol, tolerance[1])
    got = np.asarray(interop.to_host(leaf)).astype(wanted.dtype)
    exact = wanted.dtype.kind in "biu"
    same = got == wanted if exact else np.isclose(got, wanted, rtol, atol, equal_nan=True)
    assert np.all(same), f"{what}:\n{got}\nis not\n{wanted}"
