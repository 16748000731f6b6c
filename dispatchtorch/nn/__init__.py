"""``torch.nn``: modules, parameters, their initialisation and the functions behind them.

Stands on the op table; must not know optimisers, data or files.
"""

from typing import Any

from dispatchtorch.nn import attention, functional, grad, init, modules, parallel, parameter, utils
from dispatchtorch.nn.modules import *  # noqa: F403 - its own list of names
from dispatchtorch.nn.modules import __all__ as _modules
from dispatchtorch.nn.parallel import DataParallel
from dispatchtorch.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "factory_kwargs",
    "functional",
    "grad",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
    *_modules,
]

_FACTORY = ("device", "dtype", "memory_format")


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Returns what of a module's arguments goes to the functions that make its parameters; TypeError for others.

    >>> factory_kwargs({"factory_kwargs": {"dtype": "float64"}, "device": "cpu"})
    {'dtype': 'float64', 'device': 'cpu'}
    """
    given = kwargs or {}
    unexpected = given.keys() - {*_FACTORY, "factory_kwargs"}
    if unexpected:
        raise TypeError(f"unexpected kwargs {unexpected}")
    found = dict(given.get("factory_kwargs", {}))
    for name in _FACTORY:
        if name in given:
            if name in found:
                raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
            found[name] = given[name]
    return found
