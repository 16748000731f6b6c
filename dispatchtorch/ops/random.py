"""New tensors of random numbers: ranges, normals, permutations.

The numbers are torch's for the same seed, whatever the backend. Filling in place is in ``random_fill``,
draws whose parameters stand in tensors in ``random_choice``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import DType, int64
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import composite
from dispatchtorch.ops.create import Where, like_key, new_key
from dispatchtorch.ops.draw import (
    Draw,
    deliver,
    engine_of,
    finite_size,
    like_lens,
    made,
    whole,
)
from dispatchtorch.ops.draw_ahead import normals_ahead, shuffles_ahead, uniforms_ahead
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.random.scalars import CXX_NAME
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["rand", "randint", "randn", "randperm"]

_OPTIONS: Final = (
    "Tensor out = None, torch.dtype dtype = None, torch.layout layout = None, torch.device device = None, "
    "bool pin_memory = False, bool requires_grad = False)\n"
)


def _combination(name: str, leads: Sequence[str], got: str, forms: Sequence[str] = ()) -> str:
    """Returns torch's sentence for a call that fits none of its forms."""
    lines = [f" * ({lead}, *, {source}{_OPTIONS}" for lead in leads for source in ("torch.Generator generator, ", "")]
    return (
        f"{name}() received an invalid combination of arguments - got ({got}), but expected one of:\n"
        f"{''.join(forms or lines)}"
    )


def _got(*args: Any, **named: Any) -> str:
    kinds = [type(a).__name__ for a in args]
    return ", ".join(kinds + [f"{k}={type(v).__name__}" for k, v in named.items() if v is not None])


def _sizes(name: str, position: int, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Returns the shape meant by sizes as arguments or one sequence; TypeError or RuntimeError in torch's words."""
    if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
        sizes = tuple(sizes[0])
    elif len(sizes) == 1 and not isinstance(sizes[0], int) and not hasattr(sizes[0], "__index__"):
        kind = type(sizes[0]).__name__
        raise TypeError(f"{name}(): argument 'size' (position {position}) must be tuple of ints, not {kind}")
    elif sizes and isinstance(sizes[0], bool):
        raise TypeError(f"{name}(): argument 'size' (position {position}) must be tuple of ints, not bool")
    shape = []
    for place, size in enumerate(sizes, 1):
        if not hasattr(size, "__index__"):
            raise TypeError(
                f"{name}(): argument 'size' failed to unpack the object at pos {place} with error "
                f'"type must be tuple of ints,but got {type(size).__name__}"'
            )
        shape.append(int(size))
    return finite_size(shape)


def _new(
    name: str,
    shape: tuple[int, ...],
    draw: Any,
    dtype: DType | None,
    device: Where,
    backend: str | Backend | None,
    requires_grad: bool,
    out: Tensor | None,
) -> Tensor:
    """Returns a new tensor of ``draw(dtype name)``'s numbers, or ``out``, whose dtype then decides."""
    if out is None:
        key = new_key(dtype, device, backend)
        if requires_grad and not (key.dtype.is_floating_point or key.dtype.is_complex):
            draw(key.dtype)((0,), True)
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        return made(key, shape, draw(key.dtype), requires_grad)
    kind = out._key.dtype
    if dtype is not None and dtype is not kind:
        raise RuntimeError(f"dtype {dtype.legacy} does not match dtype of out parameter ({kind.legacy})")
    return deliver(f"aten::{name}", out, shape, draw(kind))


@composite()
@uniforms_ahead
def rand(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    backend: str | Backend | None = None,
    **given: Any,
) -> Tensor:
    """Returns numbers of [0, 1); sizes as arguments or one sequence.

    >>> _ = torch.manual_seed(0); torch.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    engine, shape = _plain_call("rand", size, generator, given)

    def draw(kind: DType) -> Draw:
        return lambda s, flat: streams.uniform(engine, s, kind.name)

    return _new("rand", shape, draw, dtype, device, backend, requires_grad, out)


@composite()
@normals_ahead
def randn(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    backend: str | Backend | None = None,
    **given: Any,
) -> Tensor:
    """Returns normal numbers of mean 0 and variance 1; sizes as arguments or one sequence.

    >>> _ = torch.manual_seed(0); torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    engine, shape = _plain_call("randn", size, generator, given)

    def draw(kind: DType) -> Draw:
        return lambda s, flat: streams.normal(engine, s, kind.name, contiguous=flat)

    return _new("randn", shape, draw, dtype, device, backend, requires_grad, out)


def _plain_call(name: str, size: tuple[Any, ...], generator: Any, given: dict[str, Any]) -> tuple[Any, tuple[int, ...]]:
    leads = ("tuple of ints size",)
    sequence = bool(size) and isinstance(size[0], (list, tuple))
    if "size" in given and not size:
        size = (given.pop("size"),)
    elif not size or (sequence and len(size) > 1):
        raise TypeError(_combination(name, leads, _got(*size, generator=generator, **given)))
    if given:
        named = ", ".join(f"{k}={type(v).__name__}" for k, v in given.items())
        raise TypeError(_combination(name, leads, ", ".join([*[type(s).__name__ for s in size], named])))
    tail = "" if generator is None else _combination(name, leads, _got(*size, generator=generator))
    engine = engine_of(generator, name, tail)
    return engine, _sizes(name, 1, size)


@composite()
def randint(
    *bounds: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    backend: str | Backend | None = None,
    **named: Any,
) -> Tensor:
    """Returns whole numbers of [low, high): ``randint(high, size)`` or ``randint(low, high, size)``; int64 by default.

    >>> _ = torch.manual_seed(0); torch.randint(10, (4,))
    tensor([4, 9, 3, 0])
    """
    low, high, size = _range_call(bounds, named, generator)
    engine = engine_of(generator, "randint")

    def draw(kind: DType) -> Draw:
        _refuse_bounds(kind)
        return lambda s, flat: streams.randint(engine, low, high, s, kind.name)

    return _new("randint", size, draw, dtype or (int64 if out is None else None), device, backend, requires_grad, out)


def _refuse_bounds(dtype: DType) -> None:
    if dtype.is_complex:
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")


def _range_call(bounds: tuple[Any, ...], named: dict[str, Any], generator: Any) -> tuple[int, int, tuple[int, ...]]:
    given = dict(zip(("low", "high", "size") if len(bounds) + len(named) >= 3 else ("high", "size"), bounds))
    if (
        len(bounds) > 3
        or set(named) & set(given)
        or set(given) | set(named)
        not in (
            {"high", "size"},
            {"low", "high", "size"},
        )
    ):
        leads = ("int high, tuple of ints size", "int low, int high, tuple of ints size")
        raise TypeError(_combination("randint", leads, _got(*bounds, **named)))
    given |= named
    low = whole("randint", "low", 1, given["low"]) if "low" in given else 0
    place = 2 if "low" in given else 1
    high = whole("randint", "high", place, given["high"])
    if not isinstance(given["size"], (list, tuple)):
        kind = type(given["size"]).__name__
        raise TypeError(f"randint(): argument 'size' (position {place + 1}) must be tuple of ints, not {kind}")
    return low, high, _sizes("randint", place + 1, (given["size"],))


_EXACT: Final = {"float16": (2049, "2049"), "float32": (2**24 + 1, "2^24+1"), "float64": (2**53 + 1, "2^53+1")}


@composite()
@shuffles_ahead
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    backend: str | Backend | None = None,
) -> Tensor:
    """Returns the numbers 0 to n - 1 in random order, int64 by default.

    >>> _ = torch.manual_seed(0); torch.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    count = whole("randperm", "n", 1, n)
    engine = engine_of(generator, "randperm")
    finite_size((count,))

    def draw(kind: DType) -> Draw:
        name = kind.name
        if name in _EXACT and count > _EXACT[name][0]:
            raise RuntimeError(f"n cannot be greater than {_EXACT[name][1]} for {kind.legacy} type.")
        if kind.category == 1 and count - 1 > np.iinfo(name).max:
            spelled = {"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t"}.get(name, CXX_NAME[name])
            raise RuntimeError(f"value cannot be converted to type {spelled} without overflow")
        if kind.category not in (1, 2):
            raise NotImplementedError(f"\"randperm\" not implemented for '{kind.legacy}'")
        return lambda s, flat: streams.randperm(engine, count, name)

    kind = int64 if dtype is None and out is None else dtype
    return _new("randperm", (count,), draw, kind, device, backend, requires_grad, out)


# --- like another tensor ---------------------------------------------------------------------------------------------


def _like(
    input: Tensor, draw: Any, dtype: DType | None, device: Where, requires_grad: bool, memory_format: Any
) -> Tensor:
    key = like_key(input, dtype, device)
    return made(key, like_lens(input, memory_format), draw(key.dtype), requires_grad)


def _must_be_tensor(name: str, input: Any) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


@composite()
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Returns numbers of [0, 1) with the shape, strides, dtype and device of ``input``."""
    _must_be_tensor("rand_like", input)
    engine = engine_of(generator, "rand_like")

    def draw(kind: DType) -> Draw:
        return lambda s, flat: streams.uniform(engine, s, kind.name)

    return _like(input, draw, dtype, device, requires_grad, memory_format)


@composite()
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Returns standard normal numbers with the shape, strides, dtype and device of ``input``."""
    _must_be_tensor("randn_like", input)
    engine = engine_of(generator, "randn_like")

    def draw(kind: DType) -> Draw:
        return lambda s, flat: streams.normal(engine, s, kind.name, contiguous=flat)

    return _like(input, draw, dtype, device, requires_grad, memory_format)


@composite()
def randint_like(
    input: Tensor,
    low: int | None = None,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Returns whole numbers of [low, high) like ``input``; with one bound it is ``high``, from 0."""
    _must_be_tensor("randint_like", input)
    if high is None:
        low, high = 0, low
    start, end = whole("randint_like", "low", 2, 0 if low is None else low), whole("randint_like", "high", 3, high)
    engine = engine_of(generator, "randint_like")

    def draw(kind: DType) -> Draw:
        _refuse_bounds(kind)
        return lambda s, flat: streams.randint(engine, start, end, s, kind.name)

    return _like(input, draw, dtype, device, requires_grad, memory_format)
