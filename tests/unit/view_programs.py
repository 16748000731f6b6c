"""Random programs of views and in-place writes: a plain numpy model, and the same program on a tensor library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

VIEWS = (
    *("view", "permute", "transpose", "select", "slice", "diagonal"),
    *("unsqueeze", "squeeze", "unfold", "expand", "split", "item"),
)
WRITES = ("add_", "mul_", "copy_", "fill_", "setitem", "mul_leaf", "copy_view", "masked_fill_")
LEAF = np.float64(1.5)  # what "mul_leaf" multiplies by


@dataclass
class Program:
    """What to do: each step is (name, number of the tensor it works on, arguments)."""

    shape: tuple[int, ...]
    steps: list[tuple[str, int, tuple[Any, ...]]] = field(default_factory=list)


def data(shape: tuple[int, ...], salt: int) -> np.ndarray:
    """The same small numbers for the same salt, none of them zero."""
    count = int(np.prod(shape))
    return (((np.arange(count) * 7 + salt * 5) % 11 - 5.5) / 4).reshape(shape)


def is_injective(array: np.ndarray, base: np.ndarray) -> bool:
    """Whether no two elements of a view are the same place."""
    if array.size == 0:
        return True
    starts = [np.arange(n) * s for n, s in zip(array.shape, array.strides, strict=True)]
    places = np.zeros((), np.int64)
    for steps in starts:
        places = places[..., None] + steps
    return len(np.unique(places)) == places.size


def view_args(draw: st.DrawFn, name: str, a: np.ndarray) -> tuple[Any, ...] | None:
    """Arguments for a view op that suit the array, or None where none do."""
    ndim = a.ndim
    if name == "view":
        wide = [(d, a.size // d) for d in range(1, a.size + 1) if a.size % d == 0]
        for shape in draw(st.permutations([(a.size,), *wide])):
            try:
                a.reshape(shape, copy=False)
            except ValueError:
                continue
            return (shape,) if a.size else None
        return None
    if name == "permute":
        return (tuple(draw(st.permutations(range(ndim)))),)
    if name == "unsqueeze":
        return (draw(st.integers(0, ndim)),) if ndim < 5 else None
    if name == "squeeze":
        ones = [d for d, n in enumerate(a.shape) if n == 1]
        return (draw(st.sampled_from(ones)),) if ones else None
    if name == "expand":
        return ((draw(st.integers(1, 2)), *a.shape),) if ndim < 4 else None
    if not ndim:
        return None
    dim = draw(st.integers(0, ndim - 1))
    size = a.shape[dim]
    if name == "transpose":
        return (dim, draw(st.integers(0, ndim - 1)))
    if name in ("select", "item"):
        if not size or (name == "item" and dim):
            return None
        index = draw(st.integers(-size, size - 1))
        return (index,) if name == "item" else (dim, index)
    if name == "slice":
        start = draw(st.integers(0, size))
        return (dim, start, draw(st.integers(start, size)), draw(st.integers(1, 2)))
    if name == "split":
        return (draw(st.integers(1, max(size, 1))), dim) if size else None
    if name == "unfold":
        window = draw(st.integers(1, size)) if size else 0
        return (dim, window, draw(st.integers(1, 2))) if window and ndim < 4 else None
    other = draw(st.integers(0, ndim - 1))
    return (draw(st.integers(-1, 1)), dim, other) if other != dim else None


def model_view(a: np.ndarray, name: str, args: tuple[Any, ...]) -> np.ndarray:
    """The view that the op is, by numpy's own means."""
    match name:
        case "view":
            return a.reshape(*args, copy=False)
        case "permute":
            return a.transpose(*args)
        case "transpose":
            return a.swapaxes(*args)
        case "select":
            return a[(*(slice(None),) * args[0], args[1], ...)]
        case "item":
            return a[args[0], ...]
        case "slice":
            return a[(*(slice(None),) * args[0], slice(*args[1:]))]
        case "split":
            size, dim = args
            return a[(*(slice(None),) * dim, slice(0, size))]
        case "diagonal":
            offset, first, second = args
            moved = np.moveaxis(a, (first, second), (-2, -1))
            moved = moved[..., max(-offset, 0) :, max(offset, 0) :]
            steps = (*moved.strides[:-2], moved.strides[-1] + moved.strides[-2])
            return np.lib.stride_tricks.as_strided(moved, (*moved.shape[:-2], min(moved.shape[-2:])), steps)
        case "unsqueeze":
            return np.expand_dims(a, args[0])
        case "squeeze":
            return a.squeeze(args[0])
        case "unfold":
            dim, size, step = args
            windows = np.lib.stride_tricks.sliding_window_view(a, size, dim, writeable=True)
            return windows[(*(slice(None),) * dim, slice(None, None, step))]
        case "expand":
            return np.lib.stride_tricks.as_strided(a, args[0], (0, *a.strides))
    raise AssertionError(name)


def tensor_view(t: Any, name: str, args: tuple[Any, ...]) -> Any:
    """The same view of a tensor."""
    match name:
        case "slice":
            return t[(*(slice(None),) * args[0], slice(*args[1:]))]
        case "item":
            return t[args[0]]
        case "split":
            return t.narrow(args[1], 0, min(args[0], t.shape[args[1]]))
    return getattr(t, name)(*args)


def model_write(a: np.ndarray, name: str, args: tuple[Any, ...], others: list[np.ndarray], leaf: np.ndarray) -> None:
    """The write, by numpy's own means."""
    match name:
        case "add_":
            a += args[0]
        case "mul_":
            a *= args[0]
        case "copy_":
            a[...] = data(a.shape, args[0])
        case "fill_":
            a[...] = args[0]
        case "setitem":
            a[0] = args[0]
        case "mul_leaf":
            a *= leaf
        case "copy_view":
            a[...] = others[args[0]].copy()
        case "masked_fill_":
            a[data(a.shape, 3) > 0] = args[0]


def tensor_write(torch: Any, t: Any, name: str, args: tuple[Any, ...], others: list[Any], leaf: Any) -> None:
    """The same write to a tensor."""
    match name:
        case "copy_":
            t.copy_(torch.tensor(data(tuple(t.shape), args[0]).tolist(), dtype=torch.float64).reshape(t.shape))
        case "setitem":
            t[0] = args[0]
        case "mul_leaf":
            t.mul_(leaf)
        case "copy_view":
            t.copy_(others[args[0]].clone())
        case "masked_fill_":
            mask = (data(tuple(t.shape), 3) > 0).tolist()
            t.masked_fill_(torch.tensor(mask, dtype=torch.bool).reshape(t.shape), args[0])
        case _:
            getattr(t, name)(*args)


@st.composite
def programs(draw: st.DrawFn, length: int = 8) -> Program:
    """A base of up to three dims and a few steps, each of which the model can do."""
    program = Program(tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))))
    base = data(program.shape, 1)
    arrays = [base]
    for _ in range(draw(st.integers(1, length))):
        at = draw(st.integers(0, len(arrays) - 1))
        a = arrays[at]
        if draw(st.booleans()):
            name = draw(st.sampled_from(VIEWS))
            args = view_args(draw, name, a)
            if args is None:
                continue
            arrays.append(model_view(a, name, args))
        else:
            name = draw(st.sampled_from(WRITES))
            same = [i for i, other in enumerate(arrays) if other.shape == a.shape and i != at]
            if not is_injective(a, base) or (name == "setitem" and (not a.ndim or not a.shape[0])):
                continue
            if name == "copy_view" and not same:
                continue
            args = (draw(st.sampled_from(same)),) if name == "copy_view" else (draw(st.integers(1, 3)),)
        program.steps.append((name, at, args))
    return program


def run_model(program: Program, start: np.ndarray | None = None, leaf: Any = LEAF) -> list[np.ndarray]:
    """All arrays of the program after its last step, from other inputs than its own if they are given."""
    arrays = [data(program.shape, 1) if start is None else start]
    for name, at, args in program.steps:
        if name in VIEWS:
            arrays.append(model_view(arrays[at], name, args))
        else:
            model_write(arrays[at], name, args, arrays, leaf)
    return arrays


def run_tensors(torch: Any, program: Program, *, grad: bool = False) -> tuple[list[Any], list[Any]]:
    """All tensors of the program after its last step, and the leaves it started from."""
    start = torch.tensor(data(program.shape, 1).tolist(), dtype=torch.float64)
    leaf = torch.tensor(float(LEAF), dtype=torch.float64)
    if grad:
        start.requires_grad_()
        leaf.requires_grad_()
    tensors = [start * 1.0]
    for name, at, args in program.steps:
        if name in VIEWS:
            tensors.append(tensor_view(tensors[at], name, args))
        else:
            tensor_write(torch, tensors[at], name, args, tensors, leaf)
    return tensors, [start, leaf]


def gradients(torch: Any, program: Program) -> list[list[float] | float | None]:
    """The gradients of a weighted sum over everything, as lists."""
    tensors, leaves = run_tensors(torch, program, grad=True)
    total = None
    for salt, t in enumerate(tensors):
        weight = torch.tensor(data(tuple(t.shape), salt).tolist(), dtype=torch.float64).reshape(t.shape)
        part = (t * weight).sum()
        total = part if total is None else total + part
    total.backward()
    return [None if leaf.grad is None else leaf.grad.tolist() for leaf in leaves]
