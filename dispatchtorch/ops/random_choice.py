"""Draws whose parameters stand in tensors: ``normal``, ``bernoulli``, ``multinomial``, ``poisson``, ``binomial``.

Where a parameter requires a gradient the result has a history, in which every derivative is zero, as in torch.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base.dtypes import DType, int64
from dispatchtorch._base.host import np
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.destination import fill as into
from dispatchtorch.dispatch.table import composite
from dispatchtorch.ops.create import Where, new_key
from dispatchtorch.ops.draw import (
    deliver,
    engine_of,
    finite_size,
    like_lens,
    made,
    real,
    refuse_complex,
    remember,
    whole,
    zero_rule,
)
from dispatchtorch.ops.random_fill import chances_draw
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.lens import contiguous_lens, is_contiguous
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["bernoulli", "binomial", "multinomial", "normal", "poisson"]

_MEAN: Final = zero_rule("NormalBackward1", "input")
_STD: Final = zero_rule("NormalBackward2", "input")
_MEAN_STD: Final = zero_rule("NormalBackward3", "input", "other")
_BERNOULLI: Final = zero_rule("BernoulliBackward0", "input")
_BERNOULLI_NUMBER: Final = zero_rule("torch::autograd::NotImplemented", "input")
_POISSON: Final = zero_rule("PoissonBackward0", "input")
_BINOMIAL: Final = zero_rule("torch::autograd::NotImplemented", "input", "other")

_NORMAL_FORMS: Final = (
    " * (Tensor mean, Tensor std, *, torch.Generator generator = None, Tensor out = None)\n"
    " * (Tensor mean, float std = 1, *, torch.Generator generator = None, Tensor out = None)\n"
    " * (float mean, Tensor std, *, torch.Generator generator = None, Tensor out = None)\n"
    " * (float mean, float std, tuple of ints size, *, torch.Generator generator = None, Tensor out = None, "
    "torch.dtype dtype = None, torch.layout layout = None, torch.device device = None, bool pin_memory = False, "
    "bool requires_grad = False)\n"
)


@composite()
def normal(
    mean: Tensor | float,
    std: Tensor | float | None = None,
    size: Any = None,
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
    """Returns normal numbers; mean and standard deviation are tensors, or numbers and then a size is needed.

    >>> _ = torch.manual_seed(0); torch.normal(torch.tensor([0.0, 100.0]), 1.0)
    tensor([ 1.5410, 99.7066])
    """
    engine = engine_of(generator, "normal")
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        return _normal_of_tensors(engine, mean, 1.0 if std is None else std, out)
    if size is None or std is None:
        got = ", ".join(type(v).__name__ for v in (mean, std, size) if v is not None)
        raise TypeError(
            f"normal() received an invalid combination of arguments - got ({got}), but expected one of:\n"
            f"{_NORMAL_FORMS}"
        )
    shape = finite_size(tuple(size))
    middle, spread = real("normal", "mean", 1, mean), real("normal", "std", 2, std)
    key = new_key(dtype, device, backend) if out is None else out._key.fresh(False)
    name = key.dtype.name

    def draw(s: tuple[int, ...], flat: bool) -> Any:
        return streams.normal(engine, s, name, middle, spread)

    return made(key, shape, draw, requires_grad) if out is None else deliver("aten::normal", out, shape, draw)


def _normal_of_tensors(engine: Any, mean: Any, std: Any, out: Tensor | None) -> Tensor:
    lead = mean if isinstance(mean, Tensor) else std
    if isinstance(std, Tensor) and std._key.dtype.is_complex:
        raise RuntimeError("normal expects standard deviation to be non-complex")
    given = [v for v in (mean, std) if isinstance(v, Tensor)]
    shape = broadcast_shapes(*[tuple(v._a.shape) for v in given])
    if out is not None and len(given) == 1:  # torch fills what it was given, then adds or multiplies in place
        broadcast_shapes(shape, tuple(out._a.shape))
    key = (lead if out is None else out)._key.fresh(False)
    middle = interop.to_host(mean) if isinstance(mean, Tensor) else real("normal", "mean", 1, mean)
    spread = interop.to_host(std) if isinstance(std, Tensor) else real("normal", "std", 2, std)

    def draw(s: tuple[int, ...], flat: bool) -> Any:
        return streams.normal_tensor(engine, middle, spread, key.dtype.name)

    if out is not None:
        if isinstance(spread, np.ndarray) and not bool((spread >= 0).all()):
            raise RuntimeError("normal expects all elements of std >= 0.0")
        scale = 1.0 if isinstance(std, Tensor) else real("normal", "std", 2, std)
        deliver(
            "normal",
            out,
            shape,
            lambda s, flat: streams.normal(engine, s, key.dtype.name, 0.0, scale, contiguous=flat),
            *given,
        )
        with no_grad():
            return (out.mul_(std) if isinstance(std, Tensor) else out).add_(mean)
    made_now = made(key, shape, draw)
    op = _MEAN_STD if len(given) == 2 else _MEAN if lead is mean else _STD
    return remember(op, made_now, *given)


@composite(method=True)
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Returns ones with the probability that stands at each place of ``input``, or with ``p`` everywhere; else zeros.

    >>> _ = torch.manual_seed(0); torch.bernoulli(torch.tensor([0.9, 0.1, 0.5]))
    tensor([1., 0., 1.])
    """
    engine = engine_of(generator, "bernoulli")
    shape = tuple(input._a.shape)
    if p is not None:
        if out is not None:
            raise TypeError(
                f"bernoulli() received an invalid combination of arguments - got (Tensor, {type(p).__name__}, "
                "out=Tensor), but expected one of:\n"
                " * (Tensor input, *, torch.Generator generator = None, Tensor out = None)\n"
                " * (Tensor input, float p, *, torch.Generator generator = None)\n"
            )
        key = input._key.fresh(False)
        refuse_complex(key.dtype, "bernoulli_scalar_cpu_")
        chance = real("bernoulli", "p", 2, p)
        drawn = made(key, shape, lambda s, flat: streams.bernoulli(engine, s, key.dtype.name, chance))
        return remember(_BERNOULLI_NUMBER, drawn, input)
    key = (input if out is None else out)._key.fresh(False)
    if out is not None:
        lens = lens_of(out) if tuple(out._a.shape) == shape else contiguous_lens(shape)
        return deliver("aten::bernoulli", out, shape, chances_draw(engine, input, lens, key.dtype), input)
    drawn = made(key, shape, chances_draw(engine, input, contiguous_lens(shape), key.dtype))
    return remember(_BERNOULLI, drawn, input)


@composite(method=True)
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Returns indices drawn in proportion to weights, of each row of ``input``.

    >>> _ = torch.manual_seed(0); torch.multinomial(torch.tensor([0.0, 10.0, 3.0]), 2)
    tensor([1, 2])
    """
    samples = whole("multinomial", "num_samples", 2, num_samples)
    engine = engine_of(generator, "multinomial")
    if out is not None and out._key.dtype is not int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out._key.dtype.legacy}")
    weights, lens = interop.to_host(input), like_lens(input)
    if is_contiguous(lens):
        weights = np.ascontiguousarray(weights)  # an expanded one is not
    else:  # the race draws in memory order, which a host copy need not have
        order = streams.fill_axes(lens.shape, lens.strides)
        weights = np.ascontiguousarray(weights.transpose(order)).transpose(np.argsort(order))
    drawn = streams.multinomial(engine, weights, samples, bool(replacement))
    found = interop.from_host(drawn, input._key.device, input._key.backend)
    return found if out is None else into("aten::multinomial", found, out, (input,))


@composite()
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Returns event counts, one for each rate in ``input``.

    >>> _ = torch.manual_seed(0); torch.poisson(torch.tensor([1.0, 50.0]))
    tensor([ 2., 62.])
    """
    engine = engine_of(generator, "poisson")
    key = input._key.fresh(False)
    if not key.dtype.is_floating_point:
        raise NotImplementedError(f"\"poisson_cpu\" not implemented for '{key.dtype.legacy}'")
    rates = interop.to_host(input)
    drawn = made(key, tuple(input._a.shape), lambda s, flat: streams.poisson(engine, rates))
    return remember(_POISSON, drawn, input)


@composite()
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Returns numbers of successes in ``count`` trials of probability ``prob``; the two broadcast."""
    engine = engine_of(generator, "binomial")
    for name, given in (("count", count), ("prob", prob)):
        kind = given._key.dtype
        if not kind.is_floating_point:
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {kind.legacy}")
    kind = count._key.dtype
    if prob._key.dtype is not kind:
        raise RuntimeError(f"Found dtype {prob._key.dtype.legacy} but expected {kind.legacy}")
    if kind.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"binomial_cpu\" not implemented for '{kind.legacy}'")
    shape = broadcast_shapes(tuple(count._a.shape), tuple(prob._a.shape))
    counts, chances = interop.to_host(count), interop.to_host(prob)
    drawn = made(count._key.fresh(False), shape, lambda s, flat: streams.binomial(engine, counts, chances))
    return remember(_BINOMIAL, drawn, count, prob)
