"""Which functions compute in which precision under autocast, for each kind of device: PyTorch's lists, as data.

Names are those of `torch` without the prefix: "matmul" is ``torch.matmul``, ``Tensor.matmul``, ``F.matmul``, whichever
there are; a leading underscore names an op of the table. Knows no functions, casts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["ASIDE", "LOWER", "POLICIES", "PROMOTE", "SINGLE", "applies"]

LOWER, SINGLE, PROMOTE = "lower", "single", "promote"
ASIDE = "aside"  # no cast, nor in what the function calls

_PRODUCTS: Final = (
    "_einsum_pair", "_linear", "addbmm", "addmm", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "conv_tbc",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linalg.matmul", "linalg.vecdot", "matmul", "mm",
    "prelu", "scaled_dot_product_attention", "Tensor.__matmul__", "Tensor.__rmatmul__",
)  # fmt: skip
_LOSSES: Final = (
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "hinge_embedding_loss", "huber_loss", "kl_div",
    "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nll_loss",
    "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
)  # fmt: skip
_CPU_SINGLE: Final = (
    *_LOSSES, "_geqrf", "_lu_factor", "_qr", "_svd", "adaptive_avg_pool3d", "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices", "avg_pool3d", "binary_cross_entropy", "cdist", "cholesky", "cholesky_inverse",
    "cholesky_solve", "cross_entropy", "ctc_loss", "fft.fft", "fft.fft2", "fft.fftn", "fft.hfft", "fft.ifft",
    "fft.ifft2", "fft.ifftn", "fft.ihfft", "fft.irfft", "fft.irfft2", "fft.irfftn", "fft.rfft", "fft.rfft2",
    "fft.rfftn", "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices", "geqrf", "grid_sample", "grid_sampler", "grid_sampler_2d",
    "grid_sampler_3d", "inverse", "linalg.cholesky", "linalg.cholesky_ex", "linalg.cond", "linalg.eig", "linalg.eigh",
    "linalg.eigvals", "linalg.eigvalsh", "linalg.householder_product", "linalg.inv", "linalg.inv_ex", "linalg.lstsq",
    "linalg.matrix_rank", "linalg.qr", "linalg.solve", "linalg.svd", "linalg.svdvals", "linalg.tensorinv",
    "linalg.tensorsolve", "lu", "lu_solve", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
    "nanquantile", "orgqr", "ormqr", "pad", "pinverse", "polar", "prod", "qr", "quantile", "stft", "svd", "trace",
    "triangular_solve", "view_as_complex",
)  # fmt: skip
# Recurrences with a gate over the old state, which PyTorch keeps in float32, are done in it altogether.
_GATED: Final = ("gru", "gru_cell", "lstm_cell")
_CUDA_LOWER: Final = (
    *_PRODUCTS, "_addmm", "addmv", "addr", "chain_matmul", "einsum", "gru_cell", "linalg.multi_dot", "lstm_cell", "mv",
    "rnn_relu_cell", "rnn_tanh_cell",
)  # fmt: skip
_CUDA_SINGLE: Final = (
    *_LOSSES, "acos", "asin", "cdist", "cosh", "cosine_similarity", "cross_entropy", "cumprod", "cumsum", "dist",
    "erfinv", "exp", "expm1", "group_norm", "interpolate", "layer_norm", "linalg.matrix_norm", "linalg.vector_norm",
    "log", "log10", "log1p", "log2", "log_softmax", "logsumexp", "norm", "nuclear_norm", "pow", "prod", "reciprocal",
    "renorm", "rms_norm", "rsqrt", "sinh", "softmax", "softplus", "sum", "tan",
)  # fmt: skip

POLICIES: Final[dict[str, dict[str, str]]] = {
    "cpu": {
        **dict.fromkeys((*_CPU_SINGLE, *_GATED), SINGLE),
        **dict.fromkeys(_PRODUCTS, LOWER),
        **dict.fromkeys(("cat", "concat", "concatenate", "index_copy", "stack"), PROMOTE),
        **dict.fromkeys(("dot", "mv", "vdot"), ASIDE),
    },
    "cuda": {
        **dict.fromkeys(_CUDA_SINGLE, SINGLE),
        **dict.fromkeys(_CUDA_LOWER, LOWER),
        **dict.fromkeys(
            ("addcdiv", "addcmul", "atan2", "bilinear", "cat", "cross", "dot", "grid_sample", "index_put",
             "scatter_add", "stack", "tensordot", "vdot"), PROMOTE,
        ),
    },
}  # fmt: skip


def _is_reflected(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mode = kwargs.get("mode", args[2] if len(args) > 2 else "constant")
    return mode == "replicate" or (mode == "reflect" and args[0].dim() < 5) if args else False


def _is_without_indices(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return not kwargs.get("return_indices", args[6] if len(args) > 6 else False)


_ONLY_IF: Final[dict[str, Callable[[tuple[Any, ...], dict[str, Any]], bool]]] = {
    "pad": _is_reflected,
    "max_pool3d": _is_without_indices,
}


def applies(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Returns whether a function's policy is meant for a call: some arguments stand for another function in PyTorch."""
    condition = _ONLY_IF.get(name)
    return condition is None or condition(args, kwargs)
