"""torch.fft: the door to the op table's Fourier transforms. It holds no logic."""

from __future__ import annotations

from typing import Any

from dispatchtorch.ops.fourier_nd import FFT

__all__ = sorted(FFT)

globals().update(FFT)


def __getattr__(name: str) -> Any:
    """Raises AttributeError for what is not there; its presence tells type checkers that names come from a table."""
    raise AttributeError(f"module 'torch.fft' has no attribute '{name}'")
