"""Keys: everything about a tensor that decides which plan serves a call, interned so that a look-up is one hash.

Two tensors with the same key take the same path through an op. A key never changes; a tensor changes its key.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.plugin.backend import Backend

__all__ = ["Key", "Marking", "intern_key", "marking"]


class Key:
    """Backend, device, dtype, whether 0-dimensional, whether a gradient is required, whether it is a tracked view."""

    __slots__ = (
        "_fresh", "_marked", "_views", "backend", "device", "dtype", "inference", "native", "requires", "simple",
        "view", "zero_dim",
    )  # fmt: skip

    backend: Backend
    device: Device
    dtype: DType
    zero_dim: bool
    requires: bool
    view: bool
    native: bool
    simple: bool  # native, no view, no gradient required: nothing to look after
    inference: bool  # made in inference mode: takes no part in differentiation
    _fresh: dict[tuple[bool, bool, bool], Key]
    _views: tuple[Key, Key] | None
    _marked: Key | None

    def __repr__(self) -> str:
        marks = [m for m, on in (("0d", self.zero_dim), ("grad", self.requires), ("view", self.view)) if on]
        return f"<{self.backend.name}:{self.device}:{self.dtype.name}{' ' if marks else ''}{' '.join(marks)}>"

    def as_requires(self, requires: bool) -> Key:
        """Returns the same key with `requires` set."""
        if self.requires is requires:
            return self
        return intern_key(self.backend, self.device, self.dtype, self.zero_dim, requires, self.view, self.inference)

    def as_dtype(self, dtype: DType) -> Key:
        """Returns the same key for another dtype."""
        return intern_key(self.backend, self.device, dtype, self.zero_dim, self.requires, self.view, self.inference)

    def as_inference(self) -> Key:
        """Returns the same key of a tensor that is made in inference mode."""
        key = self._marked
        if key is None:
            key = self._marked = intern_key(
                self.backend, self.device, self.dtype, self.zero_dim, self.requires, self.view, True
            )
        return key

    def fresh(self, zero_dim: bool, requires: bool = False, view: bool = False) -> Key:
        """Returns the key of another tensor of this backend, device and dtype."""
        facts = (zero_dim, requires, view)
        key = self._fresh.get(facts)
        if key is None:
            key = self._fresh[facts] = intern_key(self.backend, self.device, self.dtype, zero_dim, requires, view)
        return key

    def views(self) -> tuple[Key, Key]:
        """Returns the keys of a dimensioned and of a 0-dimensional view of a tensor with this key, found once."""
        pair = self._views
        if pair is None:
            pair = (self.fresh(False, False, True), self.fresh(True, False, True))
            if self.inference:
                pair = (pair[0].as_inference(), pair[1].as_inference())
            self._views = pair
        return pair


class Marking:
    """Whether some thread is in inference mode. Ordinary calls ask no more than this one attribute."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False


marking: Final = Marking()


_interned: Final[dict[tuple[int, Device, DType, bool, bool, bool, bool], Key]] = {}


def intern_key(
    backend: Backend,
    device: Device,
    dtype: DType,
    zero_dim: bool,
    requires: bool = False,
    view: bool = False,
    inference: bool = False,
) -> Key:
    """Returns the one key with these facts."""
    facts = (id(backend), device, dtype, zero_dim, requires, view, inference)
    key = _interned.get(facts)
    if key is None:
        key = Key()
        key.backend, key.device, key.dtype = backend, device, dtype
        key.zero_dim, key.requires, key.view = zero_dim, requires, view
        key.inference = inference
        key.native = backend.aliasing == "native"
        key.simple = key.native and not requires and not view and not inference
        key._fresh = {}
        key._views = key._marked = None
        key = _interned.setdefault(facts, key)
    return key
