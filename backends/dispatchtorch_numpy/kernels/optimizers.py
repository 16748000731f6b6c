"""Steps of optimizers over all parameters in one call: in place, a block at a time, with one scratch buffer.

These are the arithmetic of `dispatchtorch.optim`'s updates, operation by operation, so that numbers are the same to the
last bit. Unlike other kernels they write into their arguments: that is what a step is. All arrays are in C order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.silence import silent

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 15  # elements


def _blocks(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yields matching parts of arrays of one size, flat, that fit the cache together."""
    size = arrays[0].size
    if size <= BLOCK:
        yield arrays
        return
    flats = [a.reshape(-1) for a in arrays]
    for i in range(0, size, BLOCK):
        yield tuple([f[i : i + BLOCK] for f in flats])


def _gradient(x: Any, g: Any, decay: Any, maximize: bool) -> Any:
    """Returns the gradient with its sign and the weights' decay in it."""
    if maximize:
        g = np.negative(g)
    return g + x * decay if decay else g


def _sgd_step_(
    params: list[Any], grads: list[Any], buffers: list[Any], rate: float, momentum: float, share: float,
    nesterov: bool, decay: float, maximize: bool,
) -> None:  # fmt: skip
    """Adds ``rate`` times the gradients, or with ``momentum`` times their decaying sums, to the parameters."""
    dtype = params[0].dtype
    by = np.asarray(rate, dtype)
    plain = not decay and not maximize
    multiply, add = np.multiply, np.add
    if plain and not buffers:
        for x, g in zip(params, grads):
            if x.size <= BLOCK:
                add(x, multiply(g, by), x)
            else:
                for xs, gs in _blocks(x, g):
                    add(xs, multiply(gs, by), xs)
        return
    keep, part = np.asarray(momentum, dtype), np.asarray(share, dtype)
    for x, g, b in zip(params, grads, buffers or params):
        for xs, gs, bs in _blocks(x, g, b):
            if not plain:
                gs = _gradient(xs, gs, decay, maximize)
            if buffers:
                multiply(bs, keep, bs)
                add(bs, gs if share == 1 else gs * part, bs)
                gs = gs + bs * keep if nesterov else bs
            add(xs, multiply(gs, by), xs)


def _adam_step_(
    params: list[Any], grads: list[Any], means: list[Any], squares: list[Any], largest: list[Any] | None,
    rates: list[float], roots: list[float], betas: tuple[float, float, float], eps: float, decay: float,
    shrink: float | None, maximize: bool,
) -> None:  # fmt: skip
    """Moves the parameters by Adam's rule; ``shrink`` is what decoupled decay multiplies them by."""
    dtype = params[0].dtype
    fresh, keep, part, least = (np.asarray(n, dtype) for n in (*betas, eps))
    scratch = np.empty(min(BLOCK, max(p.size for p in params)), dtype)
    plain = not maximize and (not decay or shrink is not None)
    multiply, add, divide = np.multiply, np.add, np.divide
    for i, x in enumerate(params):
        by, root = np.asarray(rates[i], dtype), np.asarray(roots[i], dtype)
        more = () if largest is None else (largest[i],)
        for xs, gs, m, v, *most in _blocks(x, grads[i], means[i], squares[i], *more):
            s = scratch[: xs.size].reshape(xs.shape)
            if not plain:
                gs = _gradient(xs, gs, decay if shrink is None else 0, maximize)
            if shrink is not None:
                multiply(xs, shrink, xs)
            np.subtract(gs, m, s)
            multiply(s, fresh, s)
            add(m, s, m)
            multiply(v, keep, v)
            multiply(gs, gs, s)
            multiply(s, part, s)
            add(v, s, v)
            if most:
                v = np.maximum(most[0], v, out=most[0])
            np.sqrt(v, s)
            divide(s, root, s)
            add(s, least, s)
            divide(m, s, s)
            multiply(s, by, s)
            add(xs, s, xs)


_steps: Final[tuple[Callable[..., None], ...]] = (_sgd_step_, _adam_step_)
KERNELS: Final[dict[str, Kernel]] = {step.__name__: silent(step) for step in _steps}
