"""Writes tests/goldens/geometry.json: what PyTorch answers to random view calls, right and wrong ones.

Run with an interpreter that has torch: `python tests/parity/record_geometry.py`. Each case is `[lens, arguments,
answer]`; a lens is `[shape, strides, offset]` over a storage of CAPACITY float32 elements. An answer is a lens, a list
of lenses, `{"copy": shape}` or `{"error": [type, sentence]}`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch

CAPACITY = 1500
CASES = 130
HERE = Path(__file__).parent
rng = random.Random(20)
storage = torch.zeros(CAPACITY)


def facts(tensor: torch.Tensor) -> list[Any]:
    return [list(tensor.shape), list(tensor.stride()), tensor.storage_offset()]


def tensor() -> torch.Tensor:
    """A random view: permuted, cut, stepped, expanded or given odd strides."""
    ndim = rng.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])
    shape = [rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6]) for _ in range(ndim)]
    out = storage.as_strided(shape, torch.empty(shape).stride(), rng.choice([0, 0, 3])) if ndim else storage[2]
    if ndim and rng.random() < 0.5:
        out = out.permute(rng.sample(range(ndim), ndim))
    if ndim and rng.random() < 0.3:
        dim = rng.randrange(ndim)
        out = out[(slice(None),) * dim + (slice(rng.randrange(3), None, rng.choice([1, 2])),)]
    if ndim and rng.random() < 0.15:
        out = out.unsqueeze(0).expand(rng.choice([1, 2, 3]), *out.shape)
    if ndim and rng.random() < 0.1:
        out = storage.as_strided(out.shape, [rng.choice([1, 2, 3, 5, 7, 0]) for _ in out.shape], 1)
    return out


def number(low: int, high: int) -> int:
    return rng.randint(low, high)


def dim_of(x: torch.Tensor) -> int:
    return rng.randint(-x.ndim - (rng.random() < 0.1), max(x.ndim - 1, 0) + (rng.random() < 0.1))


def some_dims(x: torch.Tensor) -> list[int]:
    return [dim_of(x) for _ in range(number(0, max(x.ndim, 1)))]


def permutation(x: torch.Tensor) -> list[int]:
    dims = rng.sample(range(x.ndim), x.ndim)
    dims = [dim - x.ndim if rng.random() < 0.2 else dim for dim in dims]
    return some_dims(x) if rng.random() < 0.15 else dims


def new_shape(x: torch.Tensor) -> list[int]:
    """A shape of as many elements, often; sometimes with a -1, sometimes wrong."""
    shape = list(x.shape)
    for _ in range(number(0, 3)):
        if shape and rng.random() < 0.5:
            place = number(0, len(shape) - 1)
            size = shape.pop(place)
            parts = [d for d in range(1, size + 1) if size % d == 0] or [1]
            part = rng.choice(parts)
            shape[place:place] = [part, size // part]
        elif len(shape) >= 2:
            place = number(0, len(shape) - 2)
            shape[place : place + 2] = [shape[place] * shape[place + 1]]
        else:
            shape.insert(number(0, len(shape)), 1)
    if shape and rng.random() < 0.3:
        shape[number(0, len(shape) - 1)] = -1
    if rng.random() < 0.12:
        shape.insert(number(0, len(shape)), rng.choice([-2, -1, 0, 2, 5]))
    return shape


def sizes_for_expand(x: torch.Tensor) -> list[int]:
    out = [rng.choice([size, size, -1, 4 if size == 1 else size]) for size in x.shape]
    out = [number(-1, 3) if rng.random() < 0.3 else number(0, 3) for _ in range(rng.choice([0, 0, 1, 2]))] + out
    if out and rng.random() < 0.15:
        out[number(0, len(out) - 1)] = number(-3, 6)
    return out[1:] if rng.random() < 0.05 else out


def pieces(x: torch.Tensor, dim: int) -> Any:
    total = x.shape[dim] if x.ndim and -x.ndim <= dim < x.ndim else 3
    if rng.random() < 0.5:
        return number(-1, 6)
    cuts = sorted(number(0, total) for _ in range(2))
    sizes = [cuts[0], cuts[1] - cuts[0], total - cuts[1]]
    return [number(-2, 4) for _ in range(number(0, 3))] if rng.random() < 0.3 else sizes


def subscript(x: torch.Tensor) -> list[Any]:
    """Items as JSON: an int, None, "..." or {"slice": [start, stop, step]}."""
    items: list[Any] = []
    dots = False
    for size in [*x.shape, 2]:
        roll = rng.random()
        if roll < 0.12:
            items.append(None)
        if roll < 0.35:
            items.append(number(-size - (rng.random() < 0.1), max(size - 1, 0) + (rng.random() < 0.1)))
        elif roll < 0.75:
            bounds = [rng.choice([None, number(-6, 6)]) for _ in range(2)]
            items.append({"slice": [*bounds, rng.choice([None, 1, 1, 2, 3, 3, -1 if rng.random() < 0.2 else 2, 2])]})
        elif roll < 0.9 and not dots:
            items.append("...")
            dots = True
        else:
            break
    return items[: x.ndim] if rng.random() < 0.7 else items


def decode(item: Any) -> Any:
    if item == "...":
        return Ellipsis
    return slice(*item["slice"]) if isinstance(item, dict) else item


def index(x: torch.Tensor, items: list[Any]) -> torch.Tensor:
    decoded = tuple(decode(item) for item in items)
    return x[decoded[0] if len(decoded) == 1 else decoded]


def dim_then(make: Any) -> Any:
    def arguments(x: torch.Tensor) -> list[Any]:
        dim = dim_of(x)
        return [make(x, dim), dim]

    return arguments


def split_at(x: torch.Tensor, dim: int) -> Any:
    return number(-1, 5) if rng.random() < 0.5 else [number(-4, 7) for _ in range(number(0, 3))]


OPS: dict[str, tuple[Any, Any]] = {
    "view": (lambda x, shape: x.view(shape), lambda x: [new_shape(x)]),
    "reshape_geometry": (lambda x, shape: x.reshape(shape), lambda x: [new_shape(x)]),
    "flatten_shape": (lambda x, a, b: x.flatten(a, b), lambda x: [dim_of(x), dim_of(x)]),
    "unflatten_shape": (
        lambda x, d, s: x.unflatten(d, s),
        lambda x: [
            dim_of(x),
            rng.choice([[2, -1], [1, -1, 1], [2, 2], [-1], [2, 3], [], [0, -1], [-1, -1], [-2, 1], [1, 2], [1, 3]]),
        ],
    ),
    "permute": (lambda x, dims: x.permute(dims), lambda x: [permutation(x)]),
    "transpose": (lambda x, a, b: x.transpose(a, b), lambda x: [dim_of(x), dim_of(x)]),
    "t": (lambda x: x.t(), lambda x: []),
    "movedim": (
        lambda x, a, b: x.movedim(a, b),
        lambda x: (
            [dim_of(x), dim_of(x)]
            if rng.random() < 0.4
            else [some_dims(x), some_dims(x)]
            if rng.random() < 0.2
            else [permutation(x), permutation(x)]
        ),
    ),
    "unsqueeze": (lambda x, d: x.unsqueeze(d), lambda x: [number(-x.ndim - 2, x.ndim + 1)]),
    "squeeze": (
        lambda x, *d: x.squeeze(*(tuple(i) if isinstance(i, list) else i for i in d)),
        lambda x: rng.choice([[], [dim_of(x)], [some_dims(x)]]),
    ),
    "expand": (lambda x, s: x.expand(s), lambda x: [sizes_for_expand(x)]),
    "select": (lambda x, d, i: x.select(d, i), lambda x: [dim_of(x), number(-5, 4)]),
    "slice_dim": (
        lambda x, *a: torch.ops.aten.slice(x, *a),
        lambda x: [
            dim_of(x),
            rng.choice([None, number(-6, 6)]),
            rng.choice([None, number(-6, 6)]),
            number(0 if rng.random() < 0.1 else 1, 3),
        ],
    ),
    "narrow": (lambda x, d, s, n: x.narrow(d, s, n), lambda x: [dim_of(x), number(-4, 4), number(-1, 4)]),
    "split": (lambda x, s, d: x.split(s, d), dim_then(pieces)),
    "chunk": (lambda x, n, d: x.chunk(n, d), dim_then(lambda x, d: number(0, 6))),
    "tensor_split": (lambda x, n, d: x.tensor_split(n, d), dim_then(split_at)),
    "unbind": (lambda x, d: x.unbind(d), lambda x: [dim_of(x)]),
    "diagonal": (lambda x, *a: x.diagonal(*a), lambda x: [number(-4, 4), dim_of(x), dim_of(x)]),
    "unfold": (lambda x, *a: x.unfold(*a), lambda x: [dim_of(x), number(-1, 4), number(0, 3)]),
    "as_strided": (
        lambda x, *a: x.as_strided(*a),
        lambda x: [
            [number(0, 5) for _ in range(2)] if rng.random() < 0.9 else [3, -1],
            [number(0 if rng.random() < 0.9 else -1, 90) for _ in range(2 if rng.random() < 0.9 else 1)],
            *rng.choice([[], [number(-1, 300)]]),
        ],
    ),
    "basic_index": (index, lambda x: [subscript(x)]),
}


def answer(call: Any, x: torch.Tensor, arguments: list[Any]) -> Any:
    try:
        out = call(x, *arguments)
    except Exception as error:
        return {"error": [type(error).__name__, str(error).partition("\nException raised from")[0]]}
    if isinstance(out, torch.Tensor):
        if out.untyped_storage().data_ptr() != storage.untyped_storage().data_ptr():
            return {"copy": list(out.shape)}
        return facts(out)
    return [facts(piece) for piece in out]


def predicates(x: torch.Tensor) -> dict[str, bool]:
    found = {"is_contiguous": x.is_contiguous()}
    found["is_channels_last"] = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    found["is_channels_last_3d"] = x.ndim == 5 and x.is_contiguous(memory_format=torch.channels_last_3d)
    found["is_non_overlapping_and_dense"] = torch.ops.aten.is_non_overlapping_and_dense(x)
    try:
        x.add_(0)
        found["has_internal_overlap"] = False
    except RuntimeError as error:
        if "single memory location" not in str(error):
            raise
        found["has_internal_overlap"] = True
    return found


def broadcast(shapes: list[list[int]]) -> Any:
    try:
        operands = [torch.empty(shape) for shape in shapes]
        if len(operands) == 3:
            return list(torch.where(operands[0] > 0, operands[1], operands[2]).shape)
        return list((operands[0] + operands[1]).shape)
    except RuntimeError as error:
        return {"error": [type(error).__name__, str(error)]}


def related_shapes() -> list[list[int]]:
    full = [number(0 if rng.random() < 0.1 else 1, 4) for _ in range(number(0, 4))]
    shapes = []
    for _ in range(rng.choice([2, 2, 3])):
        shape = [rng.choice([size, size, 1]) for size in full][number(0, len(full)) if rng.random() < 0.5 else 0 :]
        if shape and rng.random() < 0.2:
            shape[number(0, len(shape) - 1)] = number(0, 4)
        shapes.append(shape)
    return shapes


def main() -> None:
    cases: dict[str, Any] = {"capacity": CAPACITY, "ops": {}}
    for name, (call, make) in OPS.items():
        rows = []
        while len(rows) < (3 * CASES if name in ("view", "basic_index", "reshape_geometry") else CASES):
            x = tensor()
            arguments = make(x)
            rows.append([facts(x), arguments, answer(call, x, arguments)])
        cases["ops"][name] = rows
    lenses = [tensor() for _ in range(200)]
    for shape in ([2, 3, 4, 5], [2, 1, 4, 5], [2, 3, 1, 1], [0, 3, 4, 5], [2, 3, 4, 0], [1, 1, 1, 1], [2, 0, 3, 1]):
        lenses += [storage.as_strided(shape, torch.empty(shape).stride())]
        lenses += [storage.as_strided(shape, torch.empty(shape, memory_format=torch.channels_last).stride())]
        lenses += [lenses[-1][..., :1], lenses[-1][:, :2]]
    for shape in ([2, 3, 2, 2, 4], [1, 1, 2, 2, 3], [2, 3, 1, 1, 1], [2, 0, 2, 1, 1]):
        lenses += [storage.as_strided(shape, torch.empty(shape).stride())]
        lenses += [storage.as_strided(shape, torch.empty(shape, memory_format=torch.channels_last_3d).stride())]
    cases["predicates"] = [[facts(x), predicates(x)] for x in lenses]
    shapes = [[number(0, 4) for _ in range(number(0, 5))] for _ in range(60)]
    cases["strides"] = [
        [
            shape,
            list(torch.empty(shape).stride()),
            list(torch.empty(shape, memory_format=torch.channels_last).stride()) if len(shape) == 4 else None,
            list(torch.empty(shape, memory_format=torch.channels_last_3d).stride()) if len(shape) == 5 else None,
        ]
        for shape in shapes
    ]
    cases["broadcast"] = [[shapes, broadcast(shapes)] for shapes in (related_shapes() for _ in range(250))]
    text = json.dumps(cases, separators=(",", ":")).replace("]]],[[", "]]],\n[[")
    (HERE.parent / "goldens" / "geometry.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
