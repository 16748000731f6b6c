"""Records small calls of torch's op table with torch's answers for the kit: run where torch is installed.

Writes dispatchtorch/testing/conformance/reference.npz: for each entry whose function has a name here, the two smallest
samples, values and gradients. A call that dispatchtorch answers otherwise on NumPy is left out and printed; the op
table's own run (`tests.oracle.opdb`) is where these are counted.
"""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import torch

import dispatchtorch as ours
from dispatchtorch.testing.conformance import reference
from dispatchtorch.testing.conformance.cases import cotangent, leaves
from tests.oracle.bridge import Missing, name_of
from tests.oracle.rows import FORWARD, RANDOM_GAUGE, entries, full_name, samples_of, tolerance_of

ELEMENTS = 150  # of all tensors of a call together
CALLS = 2


class _Unkept(Exception):
    """A value that has no tree."""


def tree_of(pool: reference.Pool, value: Any) -> Any:
    """Returns a value as plain data, its arrays placed in the pool."""
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided:
            raise _Unkept("a sparse tensor")
        plain = value.detach().resolve_conj().resolve_neg().contiguous().clone()
        kind = str(value.dtype).removeprefix("torch.")
        host = (plain.float() if value.dtype is torch.bfloat16 else plain).numpy()
        return {"tensor": [pool.place(kind, host), list(value.shape), kind, value.requires_grad and value.is_leaf]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, list):
        return [tree_of(pool, member) for member in value]
    if isinstance(value, tuple):
        return {"tuple": [tree_of(pool, member) for member in value]}
    if isinstance(value, dict):
        return {"dict": [[key, tree_of(pool, member)] for key, member in value.items()]}
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return {"word": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"device": "cpu"}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    raise _Unkept(type(value).__name__)


def size_of(sample: Any) -> int:
    """Returns how many elements a call has."""
    found = leaves((sample.input, tuple(sample.args), dict(sample.kwargs)))
    return sum(t.numel() for t in found if isinstance(t, torch.Tensor))


def _seed(i: int, r: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(cotangent(tuple(r.shape), str(r.dtype).removeprefix("torch."), i)).to(r.dtype)


def answer(pool: reference.Pool, op: Any, path: str, sample: Any) -> list[Any]:
    """Returns the entry of one call."""
    args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
    kept = tree_of(pool, args), tree_of(pool, kwargs)
    torch.manual_seed(1)
    results = list(leaves(op.op(*args, **kwargs)))
    inputs = [t for t in leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.requires_grad]
    roots = [(i, r) for i, r in enumerate(results) if isinstance(r, torch.Tensor) and r.requires_grad]
    grads = None
    if inputs and roots:
        seeds = [
            torch.from_numpy(cotangent(tuple(r.shape), str(r.dtype).removeprefix("torch."), i)).to(r.dtype)
            for i, r in roots
        ]
        found = torch.autograd.grad([r for _, r in roots], inputs, seeds, allow_unused=True)
        grads = [None if g is None else tree_of(pool, g) for g in found]
    first = next((t.dtype for t in leaves((args, kwargs)) if isinstance(t, torch.Tensor)), torch.float32)
    return [full_name(op), path, *kept, [tree_of(pool, r) for r in results], grads, tolerance_of(op, first)]


def record() -> None:
    """Writes the file and says what was left out."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    pool, index, unnamed, other = reference.Pool(), [], [], []
    for op in entries():
        if op.name in RANDOM_GAUGE:
            continue
        try:
            path = name_of(op.op)
        except Missing:
            unnamed.append(full_name(op))
            continue
        kind = next((d for d in FORWARD if getattr(torch, d) in op.supported_dtypes("cpu")), None)
        if kind is None:
            continue
        tracked = op.supports_autograd and getattr(torch, kind) in op.supported_backward_dtypes("cpu")
        found = sorted((s for s in samples_of(op, kind, None, tracked) if size_of(s) <= ELEMENTS), key=size_of)
        full = [s for s in found if size_of(s) > 1] or found
        for sample in full[:: max(1, (len(full) - 1) // (CALLS - 1) if len(full) > 1 else 1)][:CALLS]:
            attempt = reference.Pool()
            try:
                trial = answer(attempt, op, path, sample)
            except (_Unkept, RuntimeError, TypeError, ValueError):
                continue
            problem = disagrees(attempt, trial)
            if problem:
                other.append(f"{full_name(op)}: {problem}")
                continue
            index.append(answer(pool, op, path, sample))
    pool.write(reference.PATH, index)
    print(*other, sep="\n")
    print("no function of this name:", *unnamed)
    print(len(index), "calls of", len({row[0] for row in index}), "entries,", reference.PATH.stat().st_size, "bytes")


def disagrees(pool: reference.Pool, entry: list[Any]) -> str:
    """Returns why dispatchtorch's answer on NumPy is another one; the empty string where it is not."""
    try:
        with ours.use_backend("numpy"):
            reference.check(reference.Reference(*entry), pool)
    except Exception as error:
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:150]}"
    return ""


if __name__ == "__main__":
    sys.exit(record())  # type: ignore[func-returns-value]  # None is success
