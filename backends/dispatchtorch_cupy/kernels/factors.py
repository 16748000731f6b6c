"""Factorisations that CuPy has not: eigenvalues of general matrices, and symmetric indefinite ones; by the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from dispatchtorch.plugin import Kernel, bunch_kaufman

__all__ = ["kernels_over"]


def kernels_over(xp: Any) -> dict[str, Kernel]:
    """Returns the kernels over an array namespace whose arrays have ``get()`` for a copy on the host."""

    def eig(a: Any) -> tuple[Any, Any]:
        found = np.linalg.eig(a.get())
        kind = np.result_type(found.eigenvalues, np.complex64)
        return xp.asarray(found.eigenvalues.astype(kind)), xp.asarray(found.eigenvectors.astype(kind))

    def factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
        packed, pivots, info = bunch_kaufman.factor(a.get(), hermitian)
        return xp.asarray(packed), xp.asarray(pivots), xp.asarray(info)

    def solve(packed: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
        return xp.asarray(bunch_kaufman.solve(packed.get(), pivots.get(), b.get(), hermitian))

    return {"_eig": eig, "_ldl_factor": factor, "_ldl_solve": solve}
