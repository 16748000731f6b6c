"""Evenly spaced values between two ends: `linspace`, `logspace`. Knows no array library: `_linspace` is in `create`."""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING, DType, float32, float64
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.ops.create import Where, finished, full, new_key
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["linspace", "logspace"]

_SPACE_OPTIONS: Final = (
    "*, Tensor out = None, torch.dtype dtype = None, torch.layout layout = None, torch.device device = None, bool "
    "pin_memory = False, bool requires_grad = False)\n"
)


def _ends(name: str, start: Any, end: Any, steps: Any) -> tuple[Any, Any]:
    """Returns both ends as numbers, after torch's checks of `linspace` and `logspace`."""
    if not isinstance(steps, (int, np.integer)) or isinstance(steps, bool):
        got = ", ".join("Tensor" if isinstance(v, Tensor) else type(v).__name__ for v in (start, end, steps))
        base = "float base = 10.0, " if name == "logspace" else ""
        forms = [(a, b) for b in ("Tensor", "Number") for a in ("Tensor", "Number")]
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected one of:\n"
            + "".join(f" * ({a} start, {b} end, int steps, {base}{_SPACE_OPTIONS}" for a, b in forms)
        )
    ranks = {
        word: len(v._a.shape) for word, v in (("start", start), ("end", end)) if isinstance(v, Tensor) and v._a.shape
    }
    if ranks:
        given = " and ".join(
            f"{word} with {len(v._a.shape)} dimension(s)"
            for word, v in (("start", start), ("end", end))
            if isinstance(v, Tensor)
        )
        raise RuntimeError(f"{name} only supports 0-dimensional start and end tensors, but got {given}.")
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    first, last = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    return first, last


@composite(out=True)
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns ``steps`` evenly spaced values from ``start`` to ``end``, both included.

    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end = _ends("linspace", start, end, steps)
    key = new_key(dtype, device)
    return finished(create(TABLE["_linspace"], key, (start, end, steps, key.dtype)), requires_grad)


@composite(out=True)
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: DType | None = None, device: Where = None
) -> Tensor:
    """Returns ``base ** x`` for evenly spaced x from ``start`` to ``end``."""
    start, end = _ends("logspace", start, end, steps)
    wanted = new_key(dtype, device).dtype
    if wanted.category < FLOATING:
        powers = linspace(int(start), int(end), steps, dtype=float64, device=device)
    else:
        between = dtype
        if wanted.itemsize == 2:
            between = float32
        if wanted.itemsize == 2 and steps > 1:  # PyTorch rounds the ends, and nothing between them
            start, end = (full((), v, dtype=wanted) for v in (start, end))
        powers = linspace(start, end, steps, dtype=between, device=device)
    return METHODS["__rpow__"](powers, base).to(wanted)  # type: ignore[no-any-return]  # a method of the table
