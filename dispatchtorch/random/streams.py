"""Every stream of random numbers under one roof: ``f(engine, ...)`` returns a new host array and steps the engine.

Shapes are sequences of ints, dtypes are names ("float32"). Numbers and their order are those of torch on a CPU. All of
them fill in C order; for a tensor of other strides wrap the call in ``in_fill_order`` (and tell ``normal`` so).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the rooms behind need numpy: they are imported when a number is drawn
    from dispatchtorch.random.categories import multinomial
    from dispatchtorch.random.integers import randint, random_, randperm
    from dispatchtorch.random.inversion import cauchy, exponential, geometric
    from dispatchtorch.random.normals import log_normal, normal, normal_tensor, standard_normals
    from dispatchtorch.random.rejection import binomial, dirichlet, poisson, standard_gamma
    from dispatchtorch.random.uniforms import (
        bernoulli,
        bernoulli_tensor,
        dropout_noise,
        fill_axes,
        in_fill_order,
        rrelu_noise,
        uniform,
    )

_ROOMS: Final = ("uniforms", "normals", "integers", "categories", "inversion", "rejection")

__all__ = [
    "bernoulli",
    "bernoulli_tensor",
    "binomial",
    "cauchy",
    "dirichlet",
    "dropout_noise",
    "exponential",
    "fill_axes",
    "geometric",
    "in_fill_order",
    "log_normal",
    "multinomial",
    "normal",
    "normal_tensor",
    "poisson",
    "randint",
    "random_",
    "randperm",
    "rrelu_noise",
    "standard_gamma",
    "standard_normals",
    "uniform",
]


def __getattr__(name: str) -> Any:
    """Returns a stream from the room that has it, and keeps it here."""
    if name in __all__:
        for room in _ROOMS:
            found = getattr(importlib.import_module(f"dispatchtorch.random.{room}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
