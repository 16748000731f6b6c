"""torch's words for what ops compute whose name or arguments are our own; used by record_conformance alone."""

import torch
import torch.nn.functional as F


def _normalised(op):
    """Returns torch's native norm with the arguments in our order."""
    return {
        "layer": lambda x, n, eps, w=None, b=None: torch.native_layer_norm(x, x.shape[x.ndim - n :], w, b, eps)[:1],
        "group": lambda x, g, eps, w=None, b=None: torch.native_group_norm(
            x, w, b, x.shape[0], x.shape[1], x[0, 0].numel(), g, eps
        )[:1],
    }[op]


def _resampled(x, sizes, kind, align, scales, smooth):
    """Returns torch's interpolation by the names that our kinds have there."""
    mode = {"nearest": "nearest", "exact": "nearest-exact", "cubic": "bicubic", "lanczos": "lanczos"}.get(kind)
    mode = mode or ("linear", "bilinear", "trilinear")[len(sizes) - 1]
    given = {"size": sizes} if scales[0] is None else {"scale_factor": scales}
    align = None if kind in ("nearest", "exact") else align
    return F.interpolate(x, mode=mode, align_corners=align, antialias=smooth, **given)


def _recurred(x, h, w, mode, reverse, b=None, r=None, c=None, mask=None):
    """Returns what one layer gives, with an input whose weight is the identity; the cells at all times are ours."""
    x = x.flip(0) if reverse else x
    bias = w.new_zeros(w.shape[0]) if b is None else b
    params = [torch.eye(w.shape[0], dtype=x.dtype), w, torch.zeros_like(bias), bias, *([] if r is None else [r])]
    rest = (params, True, 1, 0.0, False, False, False)
    name = {"tanh": "rnn_tanh", "relu": "rnn_relu"}.get(mode, mode)
    hx = (h[None], c[None]) if mode == "lstm" else h[None]
    out, *last = getattr(torch, name)(x, hx, *rest)
    states = (out.flip(0) if reverse else out, *[t[0] for t in last])
    if mode != "lstm":
        return states
    cells, cell, state = [], c, h
    for row in x:
        _, state, cell = (t[0] for t in torch.lstm(row[None], (state[None], cell[None]), *rest))
        cells.append(cell)
    return (*states, torch.stack(cells[::-1] if reverse else cells))


def _nll(x, target, reduction, ignore, weight=None):
    return F.nll_loss(x, target, weight, ignore_index=ignore, reduction=reduction)


INTERNAL = {
    "_fft_c2c": torch._fft_c2c,
    "_fft_r2c": torch._fft_r2c,
    "_fft_c2r": torch._fft_c2r,
    "_cdist": torch.cdist,
    "_rsub": torch.rsub,
    "_maximum": lambda a, b: torch.maximum(a, torch.as_tensor(b, dtype=a.dtype)),
    "_minimum": lambda a, b: torch.minimum(a, torch.as_tensor(b, dtype=a.dtype)),
    "_div_floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "_div_trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "_pow_number": torch.pow,
    "_matmul_nt": lambda a, b: torch.matmul(a, b.mT),
    "_matmul_tn": lambda a, b: torch.matmul(a.mT, b),
    "_fold_tn": lambda a, b: a.reshape(-1, a.shape[-1]).mT @ b.reshape(-1, b.shape[-1]),
    "_linear": F.linear,
    "_one_hot": torch.nn.functional.one_hot,
    "_sum_rows": lambda g: g.sum(tuple(range(g.dim() - 1))),
    "_einsum_pair": lambda x, y, first, second, output: torch.einsum(f"{first},{second}->{output}", x, y),
    "_mean_squared_error": F.mse_loss,
    "_spmm": lambda v, d, r, c, n: torch.sparse_coo_tensor(torch.stack([r, c]), v, (n, d.shape[0])) @ d,
    "_layer_norm": _normalised("layer"),
    "_group_norm": _normalised("group"),
    "_batch_norm": lambda x, training, eps, w=None, b=None, m=None, v=None: torch.native_batch_norm(
        x, w, b, m, v, training, 0.0, eps
    )[:1],
    "_sdpa": lambda q, k, v, causal, scale, bias=None: (
        F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal, scale=scale),
    ),
    "_gelu": lambda x, a: F.gelu(x, approximate=a),
    "_gelu_and_slope": lambda x: (F.gelu(x), torch.ops.aten.gelu_backward(torch.ones_like(x), x)),
    "_gelu_backward": lambda g, x, a: torch.ops.aten.gelu_backward(g, x, approximate=a),
    "_leaky_relu_backward": lambda g, x, slope: torch.where(x > 0, g, g * slope),
    "_silu_backward": lambda a, b: torch.ops.aten.silu_backward(a, b),
    "_logsigmoid": F.logsigmoid,
    "_complex": torch.complex,
    "_solve": torch.linalg.solve,
    "_cholesky": torch.linalg.cholesky,
    "_eigh": lambda x, upper: torch.linalg.eigh(x, "U" if upper else "L"),
    "_qr": lambda x, complete: torch.linalg.qr(x, "complete" if complete else "reduced"),
    "_cholesky_solve": torch.cholesky_solve,
    "_cholesky_inverse": torch.cholesky_inverse,
    "_eigvalsh": lambda x, upper: torch.linalg.eigvalsh(x, "U" if upper else "L"),
    "_ldl_factor": lambda x, h: torch.linalg.ldl_factor_ex(x, hermitian=h),
    "_lu_factor": torch.linalg.lu_factor_ex,
    "_svdvals": torch.linalg.svdvals,
    "_svd": lambda x, full: torch.linalg.svd(x, full_matrices=full),
    "_solve_triangular": lambda a, b, upper, unit: torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit),
    "_mse_loss": lambda a, b, r: F.mse_loss(a, b, reduction=r),
    "_huber_loss": lambda a, b, r, d: F.huber_loss(a, b, reduction=r, delta=d),
    "_smooth_l1_loss": lambda a, b, r, d: F.smooth_l1_loss(a, b, reduction=r, beta=d),
    "_binary_cross_entropy": lambda a, b, r, w=None: F.binary_cross_entropy(a, b, w, reduction=r),
    "_binary_cross_entropy_with_logits": lambda a, b, r, w=None, p=None: F.binary_cross_entropy_with_logits(
        a, b, w, reduction=r, pos_weight=p
    ),
    "_nll_loss": _nll,
    "nll_loss_nd": lambda x, y, w=None, r="mean", i=-100: F.nll_loss(x, y, w, reduction=r, ignore_index=i),
    "cross_entropy_loss": lambda x, y, w=None, r="mean", i=-100, s=0.0: F.cross_entropy(
        x, y, w, reduction=r, ignore_index=i, label_smoothing=s
    ),
    "batch_norm": lambda *args: torch.batch_norm(*args, False),
    "instance_norm": lambda *args: torch.instance_norm(*args, False),
    "is_contiguous": torch.Tensor.is_contiguous,
    "unfold": torch.Tensor.unfold,
    "reshape": torch.Tensor.reshape,
    "view": torch.Tensor.view,
    "rms_norm": F.rms_norm,
    "put": torch.put,
    "_convolution": lambda x, w, s, p, d, t, o, g, b=None: torch.convolution(x, w, b, s, p, d, t, o, g),
    "_convolution_weight": lambda x, g, k, s, p, d, n: torch.ops.aten.convolution_backward(
        g, x, x.new_empty(g.shape[1], x.shape[1] // n, *k), None, s, p, d, False, [0] * len(s), n, (False, True, False)
    )[1],
    "_max_pool": lambda x, k, *rest: getattr(F, f"max_pool{len(k)}d")(x, k, *rest, return_indices=True),
    "_adaptive_max_pool": lambda x, n: getattr(F, f"adaptive_max_pool{len(n)}d")(x, n, return_indices=True),
    "_avg_pool": lambda x, k, *rest: getattr(F, f"avg_pool{len(k)}d")(x, k, *rest),
    "_adaptive_avg_pool": lambda x, n: getattr(F, f"adaptive_avg_pool{len(n)}d")(x, n),
    "resample": _resampled,
    "_recurrent": _recurred,
    "im2col": lambda x, k, d, p, s: F.unfold(x, k, d, p, s),
    "col2im": lambda x, n, k, d, p, s: F.fold(x, n, k, d, p, s),
    "fractional_max_pool": lambda x, k, n, samples: getattr(F, f"fractional_max_pool{len(k)}d")(
        x, k, n, return_indices=True, _random_samples=samples
    ),
    "_linear_cross_entropy": lambda x, w, y, chunk, ignore, b=None, c=None: F.linear_cross_entropy(
        x, w, y, linear_bias=b, weight=c, ignore_index=ignore, reduction="none"
    ),
    "_pad_constant": lambda x, pads, value: F.pad(x, [n for p in reversed(pads) for n in p], value=value),
    "_pad_edges": lambda x, pads, mode: F.pad(x, [n for p in reversed(pads) for n in p], mode),
}

#: Functions of torch.special alone are ops called ``_special_NAME`` or composites called ``special_NAME``.
INTERNAL |= {
    prefix + name: getattr(torch.special, name)
    for name in dir(torch.special)
    if callable(getattr(torch.special, name)) and name[0].islower()
    for prefix in ("_special_", "special_")
}
