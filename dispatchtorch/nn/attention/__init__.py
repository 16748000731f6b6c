"""``torch.nn.attention``: which implementation of attention is meant. There is one here, which each choice gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final

from dispatchtorch.backends import cuda
from dispatchtorch.nn.attention import bias as bias
from dispatchtorch.nn.attention import flex_attention as flex_attention

__all__ = [
    "WARN_FOR_UNFUSED_KERNELS",
    "SDPBackend",
    "activate_flash_attention_impl",
    "current_flash_attention_impl",
    "list_flash_attention_impls",
    "register_flash_attention_impl",
    "restore_flash_attention_impl",
    "sdpa_kernel",
]

WARN_FOR_UNFUSED_KERNELS = False
_log = logging.getLogger(__name__)


class SDPBackend(Enum):
    """Implementations that torch has of `scaled_dot_product_attention`."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __int__(self) -> int:
        return self.value

    __index__ = __int__


_SWITCHES: Final = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
    "overrideable": SDPBackend.OVERRIDEABLE,
}


def _cur_sdpa_kernel_backends(with_priority: bool = False) -> list[SDPBackend]:
    """Returns the implementations that are allowed now."""
    return [kind for name, kind in _SWITCHES.items() if cuda.sdp_enabled[name]]


@contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[dict[Any, Any]]:
    """Returns a context in which these implementations are allowed; here each of them is the same one.

    >>> import dispatchtorch as torch
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     torch.backends.cuda.flash_sdp_enabled()
    False
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    allowed = [backends] if isinstance(backends, SDPBackend) else backends
    before = dict(cuda.sdp_enabled)
    cuda.sdp_enabled.update({name: kind in allowed for name, kind in _SWITCHES.items()})
    try:
        yield {}
    finally:
        cuda.sdp_enabled.update(before)


_registered: Final[dict[str, Callable[..., Any]]] = {}
_active: Final[list[tuple[str, Any]]] = []


def register_flash_attention_impl(impl: str, *, register_fn: Callable[..., Any]) -> None:
    """Keeps what is called when an implementation of a name is activated; it gives a handle with ``remove()``."""
    _registered[impl] = register_fn


def activate_flash_attention_impl(impl: str) -> None:
    """Calls what was registered under a name; ValueError where nothing was."""
    _restore()
    if impl not in _registered:
        raise ValueError(
            f"Unknown flash attention impl '{impl}'. Available implementations: {list_flash_attention_impls()}"
        )
    handle = _registered[impl]()
    if handle is not None:
        _active.append((impl, handle))


def list_flash_attention_impls() -> list[str]:
    """Returns the registered names; torch's own, FA3 and FA4, need a GPU and are not among them."""
    return sorted(_registered)


def current_flash_attention_impl() -> str | None:
    """Returns the name that is active, or None."""
    return _active[-1][0] if _active else None


def _restore() -> bool:
    if not _active:
        return False
    _active.pop()[1].remove()
    return True


def restore_flash_attention_impl() -> None:
    """Removes what is active."""
    if not _restore():
        _log.warning("Trying to restore default FA2 impl when no custom impl was activated")
