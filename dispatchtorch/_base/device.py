"""Devices as torch names them: a type and an optional index. Which backend serves one is not known here."""

from __future__ import annotations

import functools
import re
import threading
from typing import Any, Final

__all__ = ["CPU", "Device", "asked_device", "get_default_device", "set_default_device"]

_KINDS: Final = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone", "tpu",
)  # fmt: skip
_PATTERN: Final = re.compile(r"^([a-zA-Z_]+)(?::([0-9]|[1-9][0-9]*))?$")


_known: Final[dict[tuple[str, int | None], Device]] = {}  # by what they are made from


class Device:
    """A place where tensors live: torch's ``torch.device``. There is one object a place: equal ones are the same.

    >>> Device("cuda:1").index
    1
    >>> Device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")
    index: int | None
    type: str

    def __new__(cls, type: str | Device | int = "cpu", index: int | None = None) -> Device:
        if type.__class__ is str:
            known = _known.get((type, index))
            if known is not None:
                return known
        if isinstance(type, Device):
            return type
        if isinstance(type, int):  # torch reads a bare number as an accelerator's index
            return cls("cuda", type)
        found = _PATTERN.match(type)
        if found is None:
            raise RuntimeError(f"Invalid device string: '{type}'")
        kind, suffix = found.groups()
        if kind not in _KINDS:
            raise RuntimeError(f"Expected one of {', '.join(_KINDS)} device type at start of device string: {kind}")
        if suffix is not None:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            index = int(suffix)
        self = object.__new__(cls)
        self.type = kind
        self.index = index
        self = _known.setdefault((kind, index), self)
        return _known.setdefault((type, None if suffix is not None else index), self)

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __enter__(self) -> Device:
        """Makes this the device of new tensors in this thread until the ``with`` block ends."""
        _defaults.stack = (*_defaults.stack, self)
        return self

    def __exit__(self, *error: object) -> None:
        _defaults.stack = _defaults.stack[:-1]

    def __call__(self, function: Any) -> Any:
        """Returns the function, called with this as the device of new tensors: a device decorates, too."""

        @functools.wraps(function)
        def placed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return placed

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Device, (str(self),)


CPU: Final = Device("cpu")


class _Defaults(threading.local):
    stack: tuple[Device, ...] = ()  # of the `with` blocks this thread is in
    chosen: Device | None = None  # by set_default_device


_defaults: Final = _Defaults()


def asked_device() -> Device | None:
    """Returns the device that the program wants for new tensors: the innermost ``with``, or the one set; or None."""
    return _defaults.stack[-1] if _defaults.stack else _defaults.chosen


def get_default_device() -> Device:
    """Returns the device of new tensors for which none is given: the CPU unless something else was asked for.

    >>> get_default_device()
    device(type='cpu')
    """
    device = asked_device() or CPU
    return Device("cuda", 0) if device.type == "cuda" and device.index is None else device


def set_default_device(device: Device | str | int | None) -> None:
    """Sets the device of new tensors in this thread; None takes it back."""
    _defaults.chosen = None if device is None else Device(device)
