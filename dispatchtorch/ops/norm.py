"""Normalisation: layer, group, batch, instance and rms. Each backward is an op of its own, with its formula as body.

While history is recorded (double backward) the body runs instead of the kernel, so one formula serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "batch_norm", "batch_statistics", "group_norm", "instance_norm", "layer_norm", "layer_statistics", "rms_norm",
    "through",
]  # fmt: skip

Tensors = tuple[Tensor, ...]


def through(entry: Any) -> Any:
    """Returns the op's own body while history is recorded, since that can be differentiated again; else the op."""
    return entry.op.body if modes.grad else entry


def _trio(got: Tensors, by_bias: Callable[[], Tensor], needs: tuple[bool, ...]) -> Tensors:
    """Returns gradients of input, weight and bias; None for what is not there. A bias may stand without a weight."""
    if len(got) == 3:
        return got
    return got[0], None, by_bias() if needs[-1] else None  # type: ignore[return-value]  # None: no such argument


def _require_floats(kernel: str, input: Tensor) -> None:
    """Raises torch's error where a kernel has nothing for integers."""
    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input._key.dtype.legacy}'")


# --- layer norm ------------------------------------------------------------------------------------------------------


def _layer_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 1, 1e-5, make(4), make(4)))
    yield Sample((make(2, 3, 4), 2, 1e-5, make(3, 4), make(3, 4)))
    yield Sample((make(3, 4), 1, 1e-5))


@primitive(
    grad={
        ("input", "weight", "bias"): lambda g, input, ndim, eps, weight, out, needs: _trio(
            through(_layer_norm_backward)(g[0], input, out[1], out[2], ndim, eps, weight),
            lambda: g[0].sum(tuple(range(input.ndim - ndim))) if input.ndim > ndim else g[0],
            needs,
        )
    },
    node="NativeLayerNormBackward0",
    samples=_layer_samples,
)
def _layer_norm(
    input: Tensor, ndim: int, eps: float, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensors:
    """Returns the input normalised over its last ``ndim`` dims, then the means and the inverse deviations."""
    ...


@primitive()
def _layer_norm_backward(
    g: Tensor, input: Tensor, mean: Tensor, rstd: Tensor, ndim: int, eps: float, weight: Tensor | None = None
) -> Tensors:
    """Returns the gradients of input and, where there is a weight, of weight and bias."""
    dims = tuple(range(input.ndim - ndim, input.ndim))
    lead = tuple(range(input.ndim - ndim))
    centred = input - input.mean(dims, True)
    scale = ((centred * centred).mean(dims, True) + eps).rsqrt()
    normal = centred * scale
    inner = g if weight is None else g * weight
    whole = scale * (inner - inner.mean(dims, True) - normal * (inner * normal).mean(dims, True))
    if weight is None:
        return (whole,)
    return whole, (g * normal).sum(lead) if lead else g * normal, g.sum(lead) if lead else g


def _list(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _check_normalized(
    shape: tuple[int, ...], input: Tensor, weight: Tensor | None, bias: Tensor | None, *, rms: bool = False
) -> None:
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and tuple(given._a.shape) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{_list(given._a.shape)} and normalized_shape = {_list(shape)}"
            )
    have = tuple(input._a.shape)
    if len(have) < len(shape) or have[len(have) - len(shape) :] != shape:
        stars = ("*" if rms else "*, ") + ", ".join(map(str, shape))  # torch leaves the comma out for rms_norm
        raise RuntimeError(
            f"Given normalized_shape={_list(shape)}, expected input with shape [{stars}], but got input of size"
            f"{_list(have)}"
        )


@composite()
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Returns the input with mean 0 and variance 1 over its last dims, scaled and shifted."""
    return layer_statistics(input, tuple(normalized_shape), weight, bias, eps)[0]


def layer_statistics(
    input: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensors:
    """Returns `layer_norm` of the input, then the means and the inverse deviations."""
    _check_normalized(shape, input, weight, bias)
    _require_floats("LayerNormKernelImpl", input)
    return _layer_norm(input, len(shape), eps, weight, bias)


@composite()
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Returns the input divided by its root mean square over the last dims, scaled."""
    shape = tuple(normalized_shape)
    _check_normalized(shape, input, weight, None, rms=True)
    _require_floats("rms_norm", input)
    dtype = input._key.dtype
    wide = input if dtype.itemsize >= 4 else input.float()
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    small = eps if eps is not None else _EPSILON.get(wide._key.dtype.name, 2.0**-23)
    out = wide * ((wide * wide).mean(dims, True) + small).rsqrt()
    out = out if dtype.itemsize >= 4 else out.to(dtype)
    if weight is None:
        return out
    return out * weight if dtype.itemsize >= 4 else (out * weight).to(dtype)


_EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}

# --- group norm ------------------------------------------------------------------------------------------------------


def _group_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 4, 3), 2, 1e-5, make(4), make(4)))
    yield Sample((make(2, 4), 2, 1e-5))


@primitive(
    grad={
        ("input", "weight", "bias"): lambda g, input, groups, eps, weight, out, needs: _trio(
            through(_group_norm_backward)(g[0], input, out[1], out[2], groups, eps, weight),
            lambda: g[0].sum((0, *range(2, input.ndim))),
            needs,
        )
    },
    node="NativeGroupNormBackward0",
    samples=_group_samples,
)
def _group_norm(
    input: Tensor, groups: int, eps: float, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensors:
    """Returns the input normalised within groups of channels, then the means and the inverse deviations."""
    ...


@primitive()
def _group_norm_backward(
    g: Tensor, input: Tensor, mean: Tensor, rstd: Tensor, groups: int, eps: float, weight: Tensor | None = None
) -> Tensors:
    """Returns the gradients of input and, where there is a weight, of weight and bias."""
    count, channels = input.shape[:2]
    if not input._a.size:
        empty = input * 0
        return (empty,) if weight is None else (empty, g.sum((0, *range(2, input.ndim))) * 0, weight * 0)
    flat = input.reshape(count, groups, -1)
    centred = flat - flat.mean(-1, True)
    scale = ((centred * centred).mean(-1, True) + eps).rsqrt()
    normal = centred * scale
    per_channel = (1, channels, *(1 for _ in input.shape[2:]))
    inner = (g if weight is None else g * weight.reshape(per_channel)).reshape(count, groups, -1)
    whole = scale * (inner - inner.mean(-1, True) - normal * (inner * normal).mean(-1, True))
    if weight is None:
        return (whole.reshape(input.shape),)
    dims = (0, *range(2, input.ndim))
    return whole.reshape(input.shape), (g * normal.reshape(input.shape)).sum(dims), g.sum(dims)


@composite()
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Returns the input with mean 0 and variance 1 within each group of channels, scaled and shifted."""
    channels = int(input._a.shape[1])
    if num_groups <= 0:
        raise RuntimeError(f"num groups should be greater than 0, got {num_groups}")
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{_list(input._a.shape)} and num_groups={num_groups}"
        )
    _require_floats("GroupNormKernelImpl", input)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and tuple(given._a.shape) != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {_list(given._a.shape)} and input of shape {_list(input._a.shape)}"
            )
    return _group_norm(input, num_groups, eps, weight, bias)[0]


# --- batch norm ------------------------------------------------------------------------------------------------------


def _batch_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4, 3), True, 1e-5, make(3), make(3)))
    yield Sample((make(2, 3, 4), True, 1e-5))
    yield Sample((make(4, 3), False, 1e-5, make(3), make(3), make(3), make(3, low=0.5, high=1.0)))


@primitive(
    grad={
        ("input", "weight", "bias"): lambda g, input, training, eps, weight, out, needs: _trio(
            through(_batch_norm_backward)(g[0], input, out[1], out[2], training, eps, weight),
            lambda: g[0].sum((0, *range(2, input.ndim))),
            needs,
        )
    },
    node="NativeBatchNormBackward0",
    samples=_batch_samples,
)
def _batch_norm(
    input: Tensor,
    training: bool,
    eps: float,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    mean: Tensor | None = None,
    var: Tensor | None = None,
) -> Tensors:
    """Returns the input normalised a channel, then the mean and the variance that it used."""
    ...


@primitive()
def _batch_norm_backward(
    g: Tensor, input: Tensor, mean: Tensor, var: Tensor, training: bool, eps: float, weight: Tensor | None = None
) -> Tensors:
    """Returns the gradients of input and, where there is a weight, of weight and bias."""
    dims = (0, *range(2, input.ndim))
    shape = (1, -1, *(1 for _ in input.shape[2:]))
    if training:
        mean = input.mean(dims)
        centred = input - mean.reshape(shape)
        var = (centred * centred).mean(dims)
    else:
        mean, var = mean.detach(), var.detach()
        centred = input - mean.reshape(shape)
    scale = (var + eps).rsqrt().reshape(shape)
    normal = centred * scale
    inner = g if weight is None else g * weight.reshape(shape)
    if training:
        whole = scale * (inner - inner.mean(dims, True) - normal * (inner * normal).mean(dims, True))
    else:
        whole = scale * inner
    if weight is None:
        return (whole,)
    return whole, (g * normal).sum(dims), g.sum(dims)


def _check_channels(channels: int, **given: Tensor | None) -> None:
    for name, t in given.items():
        if t is not None and t.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {t.numel()}")


@composite()
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Returns the input with mean 0 and variance 1 in each channel; in training the running statistics move."""
    return batch_statistics(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


def batch_statistics(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Returns `batch_norm` of the input, then the means and variances that it used; None for an empty input."""
    channels = int(input._a.shape[1]) if input.ndim > 1 else int(input._a.shape[0])
    _require_floats("batch_norm", input)
    if not input._a.size:
        scaled = input.clone() if weight is None or not weight._a.size else input * weight[0]
        return (scaled if bias is None or not bias._a.size else scaled + bias[0]), None, None
    if not training and (running_mean is None or running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise RuntimeError(f"{missing} must be defined in evaluation mode")
    _check_channels(channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    out, mean, var = _batch_norm(input, training, eps, weight, bias, running_mean, running_var)
    if training and (running_mean is not None or running_var is not None):
        count = int(input._a.size) // max(channels, 1)
        before, modes.grad = modes.grad, False
        try:
            if running_mean is not None:
                running_mean.mul_(1 - momentum).add_(mean * momentum)
            if running_var is not None:
                unbiased = var * (count / (count - 1)) if count > 1 else var / 0.0
                running_var.mul_(1 - momentum).add_(unbiased * momentum)
        finally:
            modes.grad = before
    return out, mean, var


@composite()
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Returns the input with mean 0 and variance 1 in each channel of each sample."""
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    _require_floats("batch_norm", input)
    count, channels = input.shape[:2]

    def again(t: Tensor | None) -> Tensor | None:
        return None if t is None else t.repeat(count)

    means, variances = again(running_mean), again(running_var)
    joined = input.contiguous().view(1, count * channels, *input.shape[2:])
    out = batch_norm(joined, again(weight), again(bias), means, variances, use_input_stats, momentum, eps)
    before, modes.grad = modes.grad, False
    try:
        for running, repeated in ((running_mean, means), (running_var, variances)):
            if running is not None and repeated is not None and use_input_stats:
                running.copy_(repeated.view(count, channels).mean(0))
    finally:
        modes.grad = before
    return out.view(input.shape)
