"""torch.distributions.kl: divergences by pairs of classes.

A door only: the registry is in ``divergence``, formulas in ``kl_family``, ``kl_normal`` and ``kl_cross``.
"""

from __future__ import annotations

from dispatchtorch.distributions import kl_cross, kl_family, kl_normal  # noqa: F401 - importing them enters formulas
from dispatchtorch.distributions.divergence import _KL_MEMOIZE, _KL_REGISTRY, kl_divergence, register_kl

__all__ = ["_KL_MEMOIZE", "_KL_REGISTRY", "kl_divergence", "register_kl"]
