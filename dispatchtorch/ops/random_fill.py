"""Filling a tensor in place with random numbers: ``normal_``, ``uniform_`` and their kin; methods only.

Derivatives are zero: what was there before has no part in what is there now.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.draw import Draw, engine_of, fill, real, refuse_complex, whole, zero_rule
from dispatchtorch.random import streams
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.lens import Lens, is_contiguous
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["bernoulli_", "chances_draw", "normal_", "random_", "uniform_"]

_UNIFORM: Final = zero_rule("UniformBackward0", "input")
_NORMAL: Final = zero_rule("NormalBackward0", "input")
_LOG_NORMAL: Final = zero_rule("LogNormalBackward0", "input")
_EXPONENTIAL: Final = zero_rule("ExponentialBackward0", "input")
_CAUCHY: Final = zero_rule("CauchyBackward0", "input")
_GEOMETRIC: Final = zero_rule("GeometricBackward0", "input")
_BERNOULLI: Final = zero_rule("BernoulliBackward2", "input")
_BERNOULLI_EACH: Final = zero_rule("BernoulliBackward1", "input", "other")
_RANDOM: Final = zero_rule("RandomBackward2", "input")
_RANDOM_RANGE: Final = zero_rule("RandomBackward0", "input")
_RANDOM_BELOW: Final = zero_rule("RandomBackward1", "input")


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with normal numbers and returns it.

    >>> _ = torch.manual_seed(0); torch.empty(2).normal_()
    tensor([ 1.5410, -0.2934])
    """
    engine = engine_of(generator, "normal_")
    low, spread = real("normal_", "mean", 1, mean), real("normal_", "std", 2, std)
    name = self._key.dtype.name
    return fill(self, _NORMAL, lambda s, flat: streams.normal(engine, s, name, low, spread, contiguous=flat))


def uniform_(self: Tensor, *bounds: Any, generator: Generator | None = None, **named: Any) -> Tensor:
    """Fills the tensor with numbers of [from, to), by default [0, 1), and returns it.

    >>> _ = torch.manual_seed(0); torch.empty(2).uniform_(-1, 1)
    tensor([-0.0075,  0.5364])
    """
    engine = engine_of(generator, "uniform_")
    low, high = _from_to("uniform_", bounds, named, (0.0, 1.0))
    start, end = real("uniform_", "from", 1, low), real("uniform_", "to", 2, high)
    name = self._key.dtype.name
    return fill(self, _UNIFORM, lambda s, flat: streams.uniform(engine, s, name, start, end))


def _from_to(name: str, bounds: tuple[Any, ...], named: dict[str, Any], default: tuple[Any, Any]) -> tuple[Any, Any]:
    """Returns the two bounds; ``from`` is no name that Python lets a parameter have."""
    unknown = [word for word in named if word not in ("from", "to")]
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{unknown[0]}'")
    if len(bounds) > 2:
        raise TypeError(f"{name}() takes from 1 to 3 positional arguments but {len(bounds) + 1} were given")
    given = [*bounds, *default[len(bounds) :]]
    for place, word in enumerate(("from", "to")):
        if word in named:
            given[place] = named[word]
    return given[0], given[1]


def random_(self: Tensor, *bounds: Any, generator: Generator | None = None, **named: Any) -> Tensor:
    """Fills the tensor with whole numbers and returns it: ``random_(to)``, ``random_(from, to)``, or its dtype's range.

    >>> _ = torch.manual_seed(0); torch.empty(4).random_(10)
    tensor([4., 9., 3., 0.])
    """
    engine = engine_of(generator, "random_")
    refuse_complex(self._key.dtype, "random_kernel_cpu")
    name = self._key.dtype.name
    if set(named) - {"from", "to"} or len(bounds) > 2:
        words = [f"{word}={type(named[word]).__name__}" for word in sorted(named)]
        given = ", ".join([*[type(b).__name__ for b in bounds], *words])
        wrong = ", ".join(sorted(set(named) - {"from", "to"}))
        raise TypeError(
            f"random_() received an invalid combination of arguments - got ({given}, ), but expected one of:\n"
            " * (*, torch.Generator generator = None)\n"
            f"      didn't match because some of the keywords were incorrect: {wrong}\n"
            " * (int from, int to, *, torch.Generator generator = None)\n"
            " * (int to, *, torch.Generator generator = None)\n"
        )
    low, high = _from_to("random_", bounds, named, (None, None))
    if len(bounds) == 1 and not named:
        low, high = 0, bounds[0]
    op = _RANDOM if low is None and high is None else _RANDOM_BELOW if len(bounds) == 1 else _RANDOM_RANGE
    start = None if low is None else whole("random_", "from", 1, low)
    end = None if high is None else whole("random_", "to", 2, high)
    return fill(self, op, lambda s, flat: streams.random_(engine, s, name, start, end))


def bernoulli_(self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with ones, with probability ``p`` (a number, or a tensor of one for each place), and zeros.

    >>> _ = torch.manual_seed(0); torch.empty(4).bernoulli_(0.5)
    tensor([0., 0., 1., 0.])
    """
    engine = engine_of(generator, "bernoulli_")
    dtype = self._key.dtype
    if isinstance(p, Tensor):
        return fill(self, _BERNOULLI_EACH, chances_draw(engine, p, lens_of(self), dtype), p)
    refuse_complex(dtype, "bernoulli_scalar_cpu_")
    chance = real("bernoulli_", "p", 1, p)
    return fill(self, _BERNOULLI, lambda s, flat: streams.bernoulli(engine, s, dtype.name, chance))


def chances_draw(engine: Engine, p: Tensor, lens: Lens, dtype: DType) -> Draw:
    """Returns the draw of Bernoulli trials whose probabilities stand in ``p``, for a tensor of this lens and dtype."""
    refuse_complex(dtype, "bernoulli_tensor_cpu_self_")
    if not p._key.dtype.is_floating_point:
        raise NotImplementedError(f"\"bernoulli_tensor_cpu_p_\" not implemented for '{p._key.dtype.legacy}'")
    chances = np.broadcast_to(interop.to_host(p), _expanded(tuple(p._a.shape), lens.shape))
    if not is_contiguous(lens):
        chances = chances.transpose(streams.fill_axes(lens.shape, lens.strides))
    return lambda shape, flat: streams.bernoulli_tensor(engine, chances, dtype.name)


def _expanded(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the target shape, if a tensor of ``shape`` expands to it; torch's RuntimeError if not."""
    if len(shape) > len(target):
        raise RuntimeError(
            f"expand(torch.FloatTensor{{{list(shape)}}}, size={list(target)}): the number of sizes provided "
            f"({len(target)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    for back in range(1, len(shape) + 1):
        if shape[-back] not in (1, target[-back]):
            raise RuntimeError(
                f"The expanded size of the tensor ({target[-back]}) must match the existing size ({shape[-back]}) at "
                f"non-singleton dimension {len(target) - back}.  Target sizes: {list(target)}.  "
                f"Tensor sizes: {list(shape)}"
            )
    return target


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with waiting times of rate ``lambd`` and returns it."""
    engine = engine_of(generator, "exponential_")
    rate = real("exponential_", "lambd", 1, lambd)
    name = self._key.dtype.name
    return fill(self, _EXPONENTIAL, lambda s, flat: streams.exponential(engine, s, name, rate))


def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with Cauchy numbers and returns it."""
    engine = engine_of(generator, "cauchy_")
    middle, scale = real("cauchy_", "median", 1, median), real("cauchy_", "sigma", 2, sigma)
    name = self._key.dtype.name
    return fill(self, _CAUCHY, lambda s, flat: streams.cauchy(engine, s, name, middle, scale))


def geometric_(self: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of trials up to the first success and returns it."""
    engine = engine_of(generator, "geometric_")
    if p is None:
        raise TypeError('geometric_() missing 1 required positional arguments: "p"')
    chance = real("geometric_", "p", 1, p)
    dtype = self._key.dtype
    if dtype.is_complex or dtype.name == "bool":
        raise NotImplementedError(f"\"geometric_cpu\" not implemented for '{dtype.legacy}'")
    return fill(self, _GEOMETRIC, lambda s, flat: streams.geometric(engine, s, dtype.name, chance))


def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with exponentials of normal numbers and returns it."""
    engine = engine_of(generator, "log_normal_")
    middle, spread = real("log_normal_", "mean", 1, mean), real("log_normal_", "std", 2, std)
    name = self._key.dtype.name
    return fill(self, _LOG_NORMAL, lambda s, flat: streams.log_normal(engine, s, name, middle, spread))


METHODS.update(
    {
        "normal_": normal_, "uniform_": uniform_, "random_": random_, "bernoulli_": bernoulli_,
        "exponential_": exponential_, "cauchy_": cauchy_, "geometric_": geometric_, "log_normal_": log_normal_,
    }
)  # fmt: skip
