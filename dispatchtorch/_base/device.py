"""Devices as torch names them: a type and an optional index. Which backend serves one is not known here."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CPU", "Device"]

_KINDS: Final = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone", "tpu",
)  # fmt: skip
_PATTERN: Final = re.compile(r"^([a-zA-Z_]+)(?::([0-9]|[1-9][0-9]*))?$")


class Device:
    """A place where tensors live: torch's ``torch.device``.

    >>> Device("cuda:1").index
    1
    >>> Device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")
    index: int | None
    type: str

    def __new__(cls, type: str | Device | int = "cpu", index: int | None = None) -> Device:
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
        return self

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Device, (str(self),)


CPU: Final = Device("cpu")
