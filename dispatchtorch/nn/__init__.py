"""``torch.nn``: modules, parameters, their initialisation and the functions behind them.

Stands on the op table; must not know optimisers, data or files.
"""

from dispatchtorch.nn import functional, init, modules, parameter, utils
from dispatchtorch.nn.modules import *  # noqa: F403 - its own list of names
from dispatchtorch.nn.modules import __all__ as _modules
from dispatchtorch.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
    *_modules,
]
