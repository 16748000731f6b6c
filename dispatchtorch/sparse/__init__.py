"""torch.sparse: products, sums and softmax of sparse tensors, and the old classes that make them.

A door into the op table: everything here is made of its functions. Must not know modules.
"""

from __future__ import annotations

from dispatchtorch.sparse.checks import check_sparse_tensor_invariants
from dispatchtorch.sparse.functions import addmm, log_softmax, mm, sampled_addmm, softmax, spdiags, sum
from dispatchtorch.sparse.legacy_types import (
    BFloat16Tensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
)

__all__ = [
    "BFloat16Tensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor",
    "LongTensor", "ShortTensor", "addmm", "check_sparse_tensor_invariants", "log_softmax", "mm", "sampled_addmm",
    "softmax", "spdiags", "sum",
]  # fmt: skip
