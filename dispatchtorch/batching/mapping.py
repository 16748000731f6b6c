"""``vmap``: what it takes apart, the level it opens, and how results are put together again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dispatchtorch._base.pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten
from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.backend import level_over
from dispatchtorch.batching.levels import LEVELS, Level
from dispatchtorch.dispatch.lifting import lift, stands_on
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.random.generator import get_rng_state, set_rng_state
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["level", "name_of", "remove", "vmap"]


def name_of(func: Any) -> str:
    """Returns what error messages call a function."""
    if hasattr(func, "__name__"):
        return str(func.__name__)
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return repr(func)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Returns a function that maps ``func`` over a dimension of its inputs, all examples at once.

    ``in_dims`` and ``out_dims`` are ints, None (not mapped), or nested as inputs and outputs are. ``randomness`` is
    "error", "different" (numbers of their own for every example) or "same". ``chunk_size``: so many examples at a time.
    ValueError for dims that do not fit the inputs.

    >>> torch.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(out_dims, func)
        size, dims, flat, spec = _inputs(in_dims, args, func)
        if chunk_size is None:
            return _mapped(func, size, dims, flat, spec, out_dims, randomness, kwargs)
        return _chunked(func, size, chunk_size, dims, flat, spec, out_dims, randomness, kwargs)

    return mapped


# --- inputs -----------------------------------------------------------------------------------------------------------


def _broadcast(tree: Any, spec: TreeSpec) -> list[Any] | None:
    """Returns one member of ``tree`` for each leaf of a structure; None where it goes deeper or elsewhere.

    A member of the tree that is no container serves everything below its place; None is such a member.
    """
    sample = tree_unflatten(range(spec.num_leaves), spec)
    found: list[Any] = [None] * spec.num_leaves

    def walk(member: Any, below: Any) -> bool:
        leaves, its = tree_flatten(member)
        if len(leaves) == 1 and leaves[0] is member:
            for place in tree_flatten(below)[0]:
                found[place] = member
            return True
        if type(member) is not type(below) or len(member) != len(below):
            return False
        if isinstance(member, dict):
            return member.keys() == below.keys() and all(walk(member[k], below[k]) for k in member)
        if not isinstance(member, (list, tuple)):
            del its
            return False
        return all(walk(m, b) for m, b in zip(member, below, strict=True))

    return found if walk(tree, sample) else None


def _inputs(in_dims: Any, args: tuple[Any, ...], func: Any) -> tuple[int, list[int | None], list[Any], TreeSpec]:
    where = f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{where}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, "
            f"got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to "
            "vmap over a function with no inputs. The latter is unsupported."
        )
    flat, spec = tree_flatten(args)
    dims = _broadcast(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{where}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    sizes = []
    for i, (arg, dim) in enumerate(zip(flat, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{where}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(arg, Tensor):
            raise ValueError(
                f"{where}Got in_dim={dim} for an input but the input is of type {type(arg)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -arg.ndim <= dim < arg.ndim:
            raise ValueError(
                f"{where}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {arg.ndim} so "
                f"expected in_dim to satisfy -{arg.ndim} <= in_dim < {arg.ndim}."
            )
        dims[i] = dim % arg.ndim
        sizes.append(int(arg._a.shape[dims[i]]))
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0], dims, flat, spec


# --- the level --------------------------------------------------------------------------------------------------------


@contextmanager
def level(size: int, randomness: str, tensors: Sequence[Tensor]) -> Iterator[Level]:
    """Yields a new innermost level, over the one that runs or over the backend of the tensors."""
    below: Backend = LEVELS.stack[-1].backend if LEVELS.stack else tensors[0]._key.backend
    for t in tensors:  # a tensor of a level that stands higher decides
        if stands_on(t._key.backend, below):
            below = t._key.backend
    opened = Level(level_over(below), size, randomness)
    LEVELS.stack.append(opened)
    try:
        yield opened
    finally:
        LEVELS.stack.pop()


def enter(t: Tensor, dim: int, opened: Level) -> Tensor:
    """Returns the tensor as one example sees it, ``dim`` being the level's."""
    below = opened.backend.below
    assert below is not None  # a level stands on something
    inner = lift(t, below)
    if inner._key.requires:
        opened.connected = True
    key = inner._key
    raw = Batched(METHODS["movedim"](inner, dim, 0) if dim else inner, True)
    return wrap(raw, intern_key(opened.backend, key.device, key.dtype, not raw.shape))


def remove(t: Tensor, dim: int, opened: Level) -> Tensor:
    """Returns a result with the level's dimension at ``dim``."""
    if t._key.view:
        refresh(t)
    batched, inner = False, t
    if t._key.backend is opened.backend:
        raw = read(t)
        batched, inner = raw.batched, raw.inner
    if not batched:
        inner = inner.unsqueeze(0).expand((opened.size, *inner._a.shape))
    return METHODS["movedim"](inner, 0, dim) if dim else inner


def _mapped(
    func: Callable[..., Any],
    size: int,
    dims: list[int | None],
    flat: list[Any],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
) -> Any:
    with level(size, randomness, [a for a, d in zip(flat, dims, strict=True) if d is not None]) as opened:
        inputs = [a if d is None else enter(a, d, opened) for a, d in zip(flat, dims, strict=True)]
        outputs = func(*tree_unflatten(inputs, spec), **kwargs)
        results = _outputs(outputs, out_dims, opened, func)
        written = [(a, d, read(t).inner) for a, d, t in zip(flat, dims, inputs, strict=True) if _was_written(d, t)]
    for original, dim, value in written:
        METHODS["copy_"](METHODS["movedim"](original, dim, 0), value)
    return results


def _was_written(dim: int | None, t: Any) -> bool:
    return dim is not None and bool(t._version) and read(t).batched


def _outputs(outputs: Any, out_dims: Any, opened: Level, func: Any) -> Any:
    flat, spec = tree_flatten(outputs)
    if isinstance(outputs, Tensor):
        dims = [out_dims] if isinstance(out_dims, int) or out_dims is None else None
        if isinstance(out_dims, tuple) and len(out_dims) == 1:
            dims = list(out_dims)
    else:
        dims = _broadcast(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({name_of(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure "
            f"of `outputs`. out_dims has structure {tree_flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    name = name_of(func)
    results = []
    for out, dim in zip(flat, dims, strict=True):
        if dim is None:
            if isinstance(out, Tensor) and out._key.backend is opened.backend:
                if read(out).batched:
                    raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
                out = read(out).inner
            results.append(out)
            continue
        if not isinstance(out, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(out)}. Did you mean to set "
                "out_dims= to None for output?"
            )
        results.append(remove(out, dim, opened))
    return tree_unflatten(results, spec)


def _check_out_dims(out_dims: Any, func: Any) -> None:
    def check(x: Any) -> None:
        if not isinstance(x, int) and x is not None:
            raise ValueError(
                f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python "
                "collection of ints representing where in the outputs the vmapped dimension should appear."
            )

    if not isinstance(out_dims, int):
        tree_map(check, out_dims)


# --- chunks -----------------------------------------------------------------------------------------------------------


def _chunked(
    func: Callable[..., Any],
    size: int,
    chunk: int,
    dims: list[int | None],
    flat: list[Any],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
) -> Any:
    state = get_rng_state() if randomness == "same" else None
    parts: list[list[Any]] = []
    its: TreeSpec | None = None
    for start in range(0, size, chunk):
        if state is not None:
            set_rng_state(state)
        count = min(chunk, size - start)
        given = [a if d is None else a.narrow(d, start, count) for a, d in zip(flat, dims, strict=True)]
        out = _mapped(func, count, dims, given, spec, out_dims, randomness, kwargs)
        leaves, its = tree_flatten(out)
        parts.append(leaves)
    assert its is not None  # there is an example at least
    where = _broadcast(out_dims, its) or []
    joined = [FUNCTIONS["cat"](list(pieces), d) for pieces, d in zip(zip(*parts, strict=True), where, strict=True)]
    return tree_unflatten(joined, its)
