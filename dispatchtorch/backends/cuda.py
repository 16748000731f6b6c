"""torch.backends.cuda: switches that ordinary programs set; they are kept, and nothing here reads them.

``matmul.allow_tf32`` and its like, and which implementations of attention are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = [
    "allow_fp16_bf16_reduction_math_sdp",
    "cudnn_sdp_enabled",
    "enable_cudnn_sdp",
    "enable_flash_sdp",
    "enable_math_sdp",
    "enable_mem_efficient_sdp",
    "flash_sdp_enabled",
    "fp16_bf16_reduction_math_sdp_allowed",
    "is_built",
    "is_flash_attention_available",
    "math_sdp_enabled",
    "matmul",
    "mem_efficient_sdp_enabled",
    "sdp_kernel",
]


class Matmul:
    """Switches of matrix products."""

    def __init__(self) -> None:
        self.allow_tf32: bool = False
        self.allow_fp16_reduced_precision_reduction: bool = True
        self.allow_bf16_reduced_precision_reduction: bool = True
        self.allow_fp16_accumulation: bool = False
        self.fp32_precision: str = "none"


matmul: Final = Matmul()
sdp_enabled: Final[dict[str, bool]] = {
    "cudnn": True, "flash": True, "mem_efficient": True, "math": True, "overrideable": True,
}  # fmt: skip
_reductions: Final[dict[str, bool]] = {"math": False}


def is_built() -> bool:
    """Returns False: there is no compiled code here; a GPU is a backend's."""
    return False


def is_flash_attention_available() -> bool:
    """Returns False: attention comes from the backend's array library."""
    return False


def flash_sdp_enabled() -> bool:
    """Returns what `enable_flash_sdp` was told last."""
    return sdp_enabled["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Keeps whether this implementation is allowed."""
    sdp_enabled["flash"] = enabled


def mem_efficient_sdp_enabled() -> bool:
    """Returns what `enable_mem_efficient_sdp` was told last."""
    return sdp_enabled["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Keeps whether this implementation is allowed."""
    sdp_enabled["mem_efficient"] = enabled


def math_sdp_enabled() -> bool:
    """Returns what `enable_math_sdp` was told last."""
    return sdp_enabled["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Keeps whether this implementation is allowed."""
    sdp_enabled["math"] = enabled


def cudnn_sdp_enabled() -> bool:
    """Returns what `enable_cudnn_sdp` was told last."""
    return sdp_enabled["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Keeps whether this implementation is allowed."""
    sdp_enabled["cudnn"] = enabled


def fp16_bf16_reduction_math_sdp_allowed() -> bool:
    """Returns what `allow_fp16_bf16_reduction_math_sdp` was told last."""
    return _reductions["math"]


def allow_fp16_bf16_reduction_math_sdp(enabled: bool) -> None:
    """Keeps whether sums in half precision are allowed."""
    _reductions["math"] = enabled


@contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """Returns a context in which these implementations are allowed; the older way of `torch.nn.attention`."""
    before = dict(sdp_enabled)
    sdp_enabled.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield
    finally:
        sdp_enabled.update(before)
