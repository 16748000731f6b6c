"""torch.special: the door to the op table's special functions, under the names they have there. It holds no logic."""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch import ops as _families  # noqa: F401 - importing them declares every op
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.ops.special_room import SPECIAL

_NAMES: Final = {
    "digamma": "digamma", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "exp2": "exp2", "expit": "sigmoid",
    "expm1": "expm1", "gammaln": "lgamma", "log1p": "log1p", "log_softmax": "log_softmax", "logit": "logit",
    "logsumexp": "logsumexp", "polygamma": "polygamma", "psi": "digamma", "round": "round", "sinc": "sinc",
    "softmax": "softmax", "xlogy": "xlogy",
}  # fmt: skip

__all__ = sorted((*_NAMES, *SPECIAL))

globals().update({name: FUNCTIONS[source] for name, source in _NAMES.items()} | SPECIAL)


def __getattr__(name: str) -> Any:
    """Raises AttributeError for what is not there; its presence tells type checkers that names come from a table."""
    raise AttributeError(f"module 'torch.special' has no attribute '{name}'")
