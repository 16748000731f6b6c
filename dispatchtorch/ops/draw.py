"""From a random stream to a tensor: whose generator, which order of elements, and the record of what was overwritten.

Numbers are drawn on the host, in the order in which torch fills a tensor's memory, and handed to the tensor's backend.
Must not know: which distributions there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.batching.randomness import check_randomness, drawn, drawn_over
from dispatchtorch.dispatch.destination import fitted
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.overlap import require_apart, require_distinct
from dispatchtorch.dispatch.record import check_inplace, make_node, rebase, record
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.dispatch.tracing import drawn_on_host
from dispatchtorch.random import streams
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.generator import Generator, default_generator
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.lens import Lens, contiguous_strides, is_contiguous
from dispatchtorch.tensor.lens import is_non_overlapping_and_dense as is_dense
from dispatchtorch.tensor.tensor import Tensor, cell_of, lens_of, view_of, wrap, write

__all__ = [
    "Draw",
    "deliver",
    "engine_of",
    "fill",
    "finite_size",
    "like_lens",
    "made",
    "real",
    "refuse_complex",
    "remember",
    "whole",
    "zero_rule",
]

#: ``draw(shape, contiguous)`` returns a host array in C order.
Draw = Callable[[tuple[int, ...], bool], Any]


def engine_of(generator: Any, name: str, tail: str = "") -> Engine:
    """Returns the bits' source of a call; TypeError in torch's words for what is no generator."""
    check_randomness()
    if generator is None:
        return default_generator.engine
    if not isinstance(generator, Generator):
        kind = type(generator).__name__
        raise TypeError(tail or f"{name}(): argument 'generator' must be torch.Generator, not {kind}")
    return generator.engine


def refuse_complex(dtype: DType, kernel: str) -> None:
    """Raises torch's NotImplementedError for a kernel without complex numbers."""
    if dtype.is_complex:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.legacy}'")


# --- history: a random result does not depend on what it replaced ----------------------------------------------------


def zero_rule(node: str, *params: str) -> Op:
    """Returns an op, known to the graph only, whose derivative by each of the named parameters is zero."""

    def one(input: Tensor) -> None: ...

    def two(input: Tensor, other: Tensor) -> None: ...

    grad: dict[str, Callable[..., Any]] = {"input": lambda g, input_shape: g.new_zeros(input_shape)}
    if len(params) == 2:
        grad["other"] = lambda g, other_shape: g.new_zeros(other_shape)
    return Op(
        two if len(params) == 2 else one,
        pointwise=False,
        grad=grad,
        dtype="same",
        kernel=None,
        node=node,
        decomposed=False,
        samples=None,
    )


def remember(op: Op, out: Tensor, *args: Any) -> Tensor:
    """Returns ``out``, with a node of zero gradients where an argument requires one."""
    if modes.grad and any(isinstance(a, Tensor) and a._key.requires for a in args):
        record(op, args, (out,), several=False)
    return out


# --- placing ---------------------------------------------------------------------------------------------------------


def made(key: Key, lens: Lens | tuple[int, ...], draw: Draw, requires_grad: bool = False) -> Tensor:
    """Returns a new tensor filled from a stream; a lens of other strides is filled, and laid out, in memory order."""
    backend, device = key.backend, str(key.device)
    shape = lens.shape if isinstance(lens, Lens) else lens
    if LEVELS.stack:
        t = drawn(key, shape, lambda s: draw(s, True))
        return METHODS["requires_grad_"](t) if requires_grad else t
    if not isinstance(lens, Lens) or is_contiguous(lens):
        t = wrap(drawn_on_host(lambda: draw(shape, True), backend, device), key.fresh(not shape))
    else:
        order = sorted(range(len(shape)), key=lambda dim: -lens.strides[dim])
        strides = lens.strides

        def memory() -> Any:
            return streams.in_fill_order(shape, strides, lambda s: draw(s, False)).transpose(order)

        t = view_of(wrap(drawn_on_host(memory, backend, device), key.fresh(not shape)), lens)
    return METHODS["requires_grad_"](t) if requires_grad else t


def like_lens(t: Tensor, memory_format: Any = None) -> Lens:
    """Returns the lens of a tensor made like ``t``: its strides where it is dense, else its order of dimensions."""
    lens = lens_of(t)
    shape = lens.shape
    wanted = getattr(memory_format, "name", str(memory_format or "")).rpartition(".")[2]
    if wanted == "contiguous_format" or is_contiguous(lens):
        return Lens(shape, contiguous_strides(shape), 0)
    if is_dense(lens):
        return Lens(shape, lens.strides, 0)
    strides = [1] * len(shape)
    step = 1
    for dim in _fastest_first(shape, lens.strides):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return Lens(shape, tuple(strides), 0)


def _fastest_first(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Returns the dimensions sorted by stride; one of stride 0 says nothing, so it stays where it was."""
    order = list(range(len(shape) - 1, -1, -1))
    for i in range(1, len(order)):
        mine = i
        for other in range(i - 1, -1, -1):
            a, b = order[other], order[mine]
            if 0 in (strides[a], strides[b]):
                continue
            if strides[a] < strides[b]:
                break
            if (strides[a], shape[a]) > (strides[b], shape[b]):
                order[other], order[mine] = b, a
                mine = other
    return order


def fill(t: Tensor, op: Op | None, draw: Draw, *others: Any) -> Tensor:
    """Returns ``t`` after it was overwritten from a stream; nothing is written until every check has passed."""
    key = t._key
    check_inplace(t, key.requires or any(isinstance(o, Tensor) and o._key.requires for o in others))
    lens = lens_of(t)
    require_distinct(t)
    for other in others:
        if isinstance(other, Tensor):
            require_apart(t, other, "same")
    shape = lens.shape
    value = drawn_over(t, lambda s: draw(s, True))

    def numbers() -> Any:
        if is_contiguous(lens):
            return draw(shape, True)
        return streams.in_fill_order(shape, lens.strides, lambda s: draw(s, False))

    if value is None:
        value = numbers() if _on_host(t) else drawn_on_host(numbers, key.backend, str(key.device))
    key = t._key
    recorded = modes.grad and key.dtype.category >= FLOATING
    node = None
    if op is not None and recorded and (key.requires or any(isinstance(o, Tensor) and o._key.requires for o in others)):
        node = make_node(op, (t, *others))
    write(t, value)
    cell_of(t).version += 1
    if node is not None:
        rebase(t, node, has_self=True)
    return t


def _on_host(t: Tensor) -> bool:
    """Returns whether the tensor's own array is a host array, so that a host array can be written into it."""
    return t._key.native and t._key.backend.to_host(t._a) is t._a


def deliver(name: str, out: Tensor, shape: tuple[int, ...], draw: Draw, *inputs: Any) -> Tensor:
    """Returns ``out``, made to fit the shape, after it was filled from a stream: in its own order of memory."""
    return fill(fitted(name, shape, out, inputs), None, draw)


def real(name: str, argument: str, position: int, value: Any) -> float:
    """Returns a float argument as a Python float; TypeError in torch's words for what is no number."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, (str, bytes, complex)) and hasattr(value, "__float__"):
        return float(value)
    raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be float, not {type(value).__name__}")


def whole(name: str, argument: str, position: int, value: Any) -> int:
    """Returns an int argument as a Python int; TypeError in torch's words for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, bool) and hasattr(value, "__index__"):
        return int(value.__index__())
    raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be int, not {type(value).__name__}")


def finite_size(sizes: Sequence[int]) -> tuple[int, ...]:
    """Returns a shape; RuntimeError in torch's words for a negative size."""
    shape = tuple(sizes)
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    if math.prod(shape) >= 1 << 63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return shape
