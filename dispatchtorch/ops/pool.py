"""Pooling as ops: the largest or the mean of each window, windows of one size or as many as asked for.

They take one number a spatial dimension and any leading dimensions. What torch calls them by is in `pooling`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.table import primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []

Ints = tuple[int, ...]


def _named(name: str, place: int) -> Any:
    """Returns the name of a node, from the number of spatial dimensions that the argument at ``place`` has."""

    def node_name(node: Node) -> str:
        n = len(node.saved[place]) if len(node.saved) > place and node.saved[place] is not None else 2
        if n > 1 and name.startswith("AdaptiveAvg") and set(node.saved[place] or ()) == {1}:
            return "MeanBackward1"  # torch takes the mean where one window is asked for
        return "SqueezeBackward1" if n == 1 else name.replace("#", str(n))

    return node_name


# --- the largest ------------------------------------------------------------------------------------------------------


def _take(g: Tensor, indices: Tensor, n: int) -> Tensor:
    """Returns what lies at the flat spatial places that ``indices`` names."""
    lead = tuple(indices._a.shape[:-n])
    return g.reshape(*lead, -1).gather(-1, indices.reshape(*lead, -1)).reshape(indices.shape)


@primitive(grad={"g_out": lambda g, indices, sizes: _take(g, indices, len(sizes))}, node="MaxPoolDoubleBackward0")
def _max_pool_backward(
    g_out: Tensor, indices: Tensor, sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Tensor:
    """Returns the cotangent added up at the places that were the largest; an empty ``kernel``: windows of any shape."""
    lead = tuple(indices._a.shape[: -len(sizes)])
    flat = g_out.new_zeros((*lead, prod(sizes)))
    return flat.scatter_add(-1, indices.reshape(*lead, -1), g_out.reshape(*lead, -1)).reshape(*lead, *sizes)


def _met(g: Tensor, indices: Tensor, sizes: Ints, dilation: Ints) -> tuple[Tensor, Tensor]:
    """Returns cotangent and places without those of windows that step over the whole input and met nothing."""
    if all(d <= size for size, d in zip(sizes, dilation, strict=True)):
        return g, indices
    last = prod(sizes) - 1
    return g * (indices <= last), indices.clamp(max=last)


def _max_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 6, 5), (2, 2), (2, 2), (0, 0), (1, 1), False))
    yield Sample((make(1, 2, 7, 7), (3, 3), (2, 2), (1, 1), (1, 1), True))
    yield Sample((make(2, 7, 8), (3, 2), (1, 2), (1, 0), (2, 3), False))


@primitive(
    grad={
        "input": lambda g, out, input_shape, kernel, stride, padding, dilation: _max_pool_backward(
            *_met(g[0], out[1], input_shape[-len(kernel) :], dilation),
            input_shape[-len(kernel) :],
            kernel,
            stride,
            padding,
            dilation,
        )
    },
    node=_named("MaxPool#DWithIndicesBackward0", 1),
    samples=_max_samples,
)
def _max_pool(
    input: Tensor, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window and its flat place among the spatial dimensions."""
    ...


@primitive(
    grad={
        "input": lambda g, out, input_shape, sizes: _max_pool_backward(
            g[0], out[1], input_shape[-len(sizes) :], (), (), (), ()
        )
    },
    node=_named("AdaptiveMaxPool#DBackward0", 1),
    samples=lambda make: iter((Sample((make(2, 3, 7, 5), (3, 2))), Sample((make(2, 3, 5), (4,))))),
)
def _adaptive_max_pool(input: Tensor, sizes: Ints) -> tuple[Tensor, Tensor]:
    """Returns the largest of each of ``sizes`` windows and its flat place among the spatial dimensions."""
    ...


# --- the mean ---------------------------------------------------------------------------------------------------------


def _avg_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 6, 5), (2, 2), (2, 2), (0, 0), False, True, None))
    yield Sample((make(1, 2, 7, 7), (3, 3), (2, 2), (1, 1), True, False, None))
    yield Sample((make(2, 8, 7), (3, 2), (2, 1), (1, 1), True, True, 3))


@primitive(
    grad={
        "input": lambda g, input_shape, kernel, stride, padding, ceil_mode, count_include_pad, divisor: (
            _avg_pool_backward(
                g, input_shape[-len(kernel) :], kernel, stride, padding, ceil_mode, count_include_pad, divisor
            )
        )
    },
    node=_named("AvgPool#DBackward0", 1),
    samples=_avg_samples,
)
def _avg_pool(
    input: Tensor,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Returns the sum of each window over its size or a given divisor."""
    ...


@primitive(
    grad={
        "g_out": lambda g, kernel, stride, padding, ceil_mode, count_include_pad, divisor: _avg_pool(
            g, kernel, stride, padding, ceil_mode, count_include_pad, divisor
        )
    },
    node="AvgPoolDoubleBackward0",
)
def _avg_pool_backward(
    g_out: Tensor,
    sizes: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Returns each window's share of the cotangent added up over an input of these spatial sizes."""
    ...


@primitive(
    grad={"input": lambda g, input_shape, sizes: _adaptive_avg_pool_backward(g, input_shape[-len(sizes) :])},
    node=_named("AdaptiveAvgPool#DBackward0", 1),
    samples=lambda make: iter((Sample((make(2, 3, 7, 5), (3, 2))), Sample((make(2, 6, 4), (3, 2))))),
)
def _adaptive_avg_pool(input: Tensor, sizes: Ints) -> Tensor:
    """Returns the mean of each of ``sizes`` windows."""
    ...


@primitive(
    grad={"g_out": lambda g, g_out_shape, sizes: _adaptive_avg_pool(g, g_out_shape[-len(sizes) :])},
    node="AdaptiveAvgPoolDoubleBackward0",
)
def _adaptive_avg_pool_backward(g_out: Tensor, sizes: Ints) -> Tensor:
    """Returns each window's share of the cotangent added up over an input of these spatial sizes."""
    ...
