"""Convolutions, pools and norms, forward and with backward, in the sizes of ordinary networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.case import Act, Group

__all__ = ["LAYERS"]

LAYERS = Group("conv, pool, norm", {"numpy": 1.1, "onednn": 0.8})

_LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "conv 3x3, 3 to 16, 32x32": (lambda nn: nn.Conv2d(3, 16, 3, padding=1), (16, 3, 32, 32)),
    "conv 3x3, 16 to 16, 32x32": (lambda nn: nn.Conv2d(16, 16, 3, padding=1), (16, 16, 32, 32)),
    "conv 3x3, 64 to 64, 16x16": (lambda nn: nn.Conv2d(64, 64, 3, padding=1), (16, 64, 16, 16)),
    "conv 3x3 stride 2, 32 to 64": (lambda nn: nn.Conv2d(32, 64, 3, 2, padding=1), (16, 32, 16, 16)),
    "conv 1x1, 64 to 128": (lambda nn: nn.Conv2d(64, 128, 1), (16, 64, 16, 16)),
    "conv 5x5, 1 to 6, 28x28": (lambda nn: nn.Conv2d(1, 6, 5), (64, 1, 28, 28)),
    "conv 3x3 depthwise, 64": (lambda nn: nn.Conv2d(64, 64, 3, padding=1, groups=64), (16, 64, 16, 16)),
    "conv1d 5, 32 to 64": (lambda nn: nn.Conv1d(32, 64, 5, padding=2), (16, 32, 128)),
    "conv transposed 4x4 stride 2": (lambda nn: nn.ConvTranspose2d(32, 16, 4, 2, 1), (16, 32, 16, 16)),
    "max_pool 2": (lambda nn: nn.MaxPool2d(2), (16, 16, 32, 32)),
    "avg_pool 2": (lambda nn: nn.AvgPool2d(2), (16, 16, 32, 32)),
    "adaptive_avg_pool 1": (lambda nn: nn.AdaptiveAvgPool2d(1), (16, 64, 16, 16)),
    "batch_norm 2d": (lambda nn: nn.BatchNorm2d(64), (16, 64, 16, 16)),
    "batch_norm 1d": (lambda nn: nn.BatchNorm1d(256), (128, 256)),
    "layer_norm": (lambda nn: nn.LayerNorm(384), (512, 384)),
    "group_norm": (lambda nn: nn.GroupNorm(8, 64), (16, 64, 16, 16)),
}


def _case(name: str, with_backward: bool) -> None:
    @LAYERS.case(f"{name}, forward and backward" if with_backward else name)
    def _(torch: Any) -> Act:
        make, shape = _LAYERS[name]
        torch.manual_seed(0)
        layer = make(torch.nn)
        x = torch.randn(*shape, requires_grad=with_backward)
        if not with_backward:

            def forward() -> object:
                with torch.no_grad():
                    return layer(x)

            return forward
        weights = torch.rand_like(layer(x))

        def both() -> object:
            x.grad = None
            layer.zero_grad()
            layer(x).backward(weights)
            return [x.grad, *[p.grad for p in layer.parameters()]]

        return both


for _name in _LAYERS:
    _case(_name, False)
    _case(_name, True)
