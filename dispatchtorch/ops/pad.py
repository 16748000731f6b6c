"""Padding: with a constant, and with what lies at the edges (reflected, repeated, or from the other side).

Must not know convolutions or modules; the checks of modes and counts are those of ``torch.nn.functional.pad``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.plugin.numpylike.pad import sources
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["constant_pad_nd", "pad_edges"]

Pairs = tuple[tuple[int, int], ...]


def _constant_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3), ((0, 0), (1, 2)), 0.5))
    yield Sample((make(3, 4), ((2, -1), (-1, 0)), 0.0))


@primitive(
    grad={"input": lambda g, pads: _pad_constant(g, tuple([(-low, -high) for low, high in pads]), 0.0)},
    node="ConstantPadNdBackward0",
    samples=_constant_samples,
)
def _pad_constant(input: Tensor, pads: Pairs, value: float) -> Tensor:
    """Returns the input with a constant before and behind each dimension; negative counts cut."""
    ...


@composite(
    samples=lambda make: iter(
        (Sample((make(2, 3), [1, 2], 1.5)), Sample((make(2, 3), [1, 0, -1, 2])), Sample((make(0, 3), [1, 1, 1, 0])))
    )
)
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Returns the input with a constant around its last dimensions; ``pad`` counts from the last, two a dimension."""
    shape, given = tuple(input._a.shape), tuple(pad)
    if len(given) % 2:
        raise RuntimeError("Length of pad must be even but instead it equals " + str(len(given)))
    if len(given) > 2 * len(shape):
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
            f"{len(given)} while the input has {len(shape)} dimensions."
        )
    pairs = [(0, 0)] * (len(shape) - len(given) // 2)
    pairs += [(given[i], given[i + 1]) for i in range(len(given) - 2, -1, -2)]
    for size, (low, high) in zip(shape, pairs, strict=True):
        if size + min(low, 0) + min(high, 0) < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
    fill = value if input._key.dtype.category > 1 else int(value)
    return _pad_constant(input, tuple(pairs), fill)


def _edges_gradient(g: Tensor, pads: Pairs, mode: str, input_shape: tuple[int, ...]) -> Tensor:
    """Returns the sum, a dimension at a time, of what was taken from each place."""
    first = len(input_shape) - len(pads)
    for dim, (low, high) in enumerate(pads, first):
        size = input_shape[dim]
        places = FUNCTIONS["tensor"](sources(size, low, high, mode), device=g.device)
        shape = (*g._a.shape[:dim], size, *g._a.shape[dim + 1 :])
        g = g.new_zeros(shape).index_add(dim, places, g)
    return g


_NAMES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}


def _edges_node(node: Node) -> str:
    if len(node.saved) < 3 or node.saved[2] not in _NAMES:
        return "torch::autograd::CopySlices"
    return f"{_NAMES[node.saved[2]]}{len(node.saved[1])}DBackward0"


def _edges_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(1, 2, 5), ((2, 1),), "reflect"))
    yield Sample((make(1, 2, 3, 4), ((1, 2), (0, 3)), "replicate"))
    yield Sample((make(1, 2, 3, 4), ((3, 1), (-1, 2)), "circular"))


@primitive(grad={"input": _edges_gradient}, node=_edges_node, samples=_edges_samples)
def _pad_edges(input: Tensor, pads: Pairs, mode: str) -> Tensor:
    """Returns the input with its last dimensions continued: "reflect", "replicate" or "circular"."""
    ...


def pad_edges(input: Tensor, pads: Pairs, mode: str) -> Tensor:
    """Returns the input with its last dimensions continued; RuntimeError where there is too little to continue from."""
    shape = tuple(input._a.shape)
    n = len(pads)
    if mode == "reflect":
        for place, (low, high) in enumerate(reversed(pads)):
            dim = len(shape) - 1 - place
            if low >= shape[dim] or high >= shape[dim]:
                raise RuntimeError(
                    f"Argument #{4 + 2 * place}: Padding size should be less than the corresponding input dimension, "
                    f"but got: padding ({low}, {high}) at dimension {dim} of input {list(shape)}"
                )
    sizes = shape[-n:]
    if input._key.dtype.category == 0 and mode != "circular":
        what = "reflection" if mode == "reflect" else "replication"
        raise NotImplementedError(f"\"{what}_pad{n}d\" not implemented for 'Bool'")
    if mode == "circular":
        for size, (low, high) in zip(sizes, pads, strict=True):
            if low > size or high > size:
                raise RuntimeError("Padding value causes wrapping around more than once.")
            if size + low + high < 0:
                raise RuntimeError("Negative padding value is resulting in an empty dimension")
    elif 0 in shape[-n - 1 :]:
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}"
        )
    outs = [size + low + high for size, (low, high) in zip(sizes, pads, strict=True)]
    if any(out < 1 for out in outs):
        letters = "DHW"[-n:]
        have = " ".join(f"{a}: {s}" for a, s in zip(letters, sizes, strict=True))
        got = " ".join(f"{a}: {s}" for a, s in zip(letters, outs, strict=True))
        raise RuntimeError(f"input ({have}) is too small. Calculated output {got}")
    return _pad_edges(input, pads, mode)
