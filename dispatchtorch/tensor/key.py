"""Keys: everything about a tensor that decides which plan serves a call, interned so that a look-up is one hash.

Two tensors with the same key take the same path through an op. A key never changes; a tensor changes its key.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.plugin.backend import Backend

__all__ = ["Key", "intern_key"]


class Key:
    """Backend, device, dtype, whether 0-dimensional, whether a gradient is required, whether it is a tracked view."""

    __slots__ = ("_views", "backend", "device", "dtype", "native", "requires", "simple", "view", "zero_dim")

    backend: Backend
    device: Device
    dtype: DType
    zero_dim: bool
    requires: bool
    view: bool
    native: bool
    simple: bool  # native, no view, no gradient required: nothing to look after
    _views: tuple[Key, Key] | None

    def __repr__(self) -> str:
        marks = [m for m, on in (("0d", self.zero_dim), ("grad", self.requires), ("view", self.view)) if on]
        return f"<{self.backend.name}:{self.device}:{self.dtype.name}{' ' if marks else ''}{' '.join(marks)}>"

    def as_requires(self, requires: bool) -> Key:
        """Returns the same key with `requires` set."""
        if self.requires is requires:
            return self
        return intern_key(self.backend, self.device, self.dtype, self.zero_dim, requires, self.view)

    def as_dtype(self, dtype: DType) -> Key:
        """Returns the same key for another dtype."""
        return intern_key(self.backend, self.device, dtype, self.zero_dim, self.requires, self.view)

    def fresh(self, zero_dim: bool, requires: bool = False, view: bool = False) -> Key:
        """Returns the key of another tensor of this backend, device and dtype."""
        return intern_key(self.backend, self.device, self.dtype, zero_dim, requires, view)

    def views(self) -> tuple[Key, Key]:
        """Returns the keys of a dimensioned and of a 0-dimensional view of a tensor with this key, found once."""
        pair = self._views
        if pair is None:
            pair = self._views = (self.fresh(False, False, True), self.fresh(True, False, True))
        return pair


_interned: Final[dict[tuple[int, Device, DType, bool, bool, bool], Key]] = {}


def intern_key(
    backend: Backend, device: Device, dtype: DType, zero_dim: bool, requires: bool = False, view: bool = False
) -> Key:
    """Returns the one key with these facts."""
    facts = (id(backend), device, dtype, zero_dim, requires, view)
    key = _interned.get(facts)
    if key is None:
        key = Key()
        key.backend, key.device, key.dtype = backend, device, dtype
        key.zero_dim, key.requires, key.view = zero_dim, requires, view
        key.native = backend.aliasing == "native"
        key.simple = key.native and not requires and not view
        key._views = None
        key = _interned.setdefault(facts, key)
    return key
