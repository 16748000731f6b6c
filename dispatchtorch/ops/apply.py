"""Python functions called on each element, in place: slow, on the host, and only for tensors that need no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["apply_", "map2_", "map_"]


def _write(self: Tensor, values: list[Any]) -> Tensor:
    host = np.array(values, interop.host_dtype(self._key.dtype)).reshape(tuple(self._a.shape))
    made = interop.from_host(host, self._key.device, self._key.backend)
    return METHODS["copy_"](self, made)  # type: ignore[no-any-return]  # an entry of the table


def _check(self: Tensor, name: str, *others: Any) -> None:
    if self._key.requires or any(isinstance(o, Tensor) and o._key.requires for o in others):
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    if self._key.device.type != "cpu":
        raise TypeError(f"{name} is only implemented on CPU tensors")
    for position, other in enumerate(others, 1):
        if not isinstance(other, Tensor):
            which = "other" if len(others) == 1 else "xy"[position - 1]
            raise TypeError(
                f"{name}(): argument '{which}' (position {position}) must be Tensor, not {type(other).__name__}"
            )
        if other._key.dtype is not self._key.dtype:
            raise TypeError(
                f"{name}: expected torch.{self._key.dtype.legacy}Tensor for "
                f"'{'other' if len(others) == 1 else 'argument'}' (got torch.{other._key.dtype.legacy}Tensor)"
            )


def _elements(self: Tensor, other: Tensor) -> list[Any]:
    wide = METHODS["expand"](other, tuple(self._a.shape))
    return list(interop.to_host(wide).ravel().tolist())


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Writes ``callable(element)`` into each element and returns the tensor; CPU tensors only, and slow.

    >>> torch.tensor([1, 2]).apply_(lambda v: v * 10)
    tensor([10, 20])
    """
    _check(self, "apply_")
    return _write(self, [callable(v) for v in interop.to_host(self).ravel().tolist()])


def map_(self: Tensor, other: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Writes ``callable(element, other's element)`` into each element and returns the tensor."""
    _check(self, "map_", other)
    pairs = zip(_elements(self, self), _elements(self, other), strict=True)
    return _write(self, [callable(a, b) for a, b in pairs])


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Writes ``callable(element, x's element, y's element)`` into each element and returns the tensor."""
    _check(self, "map2_", x, y)
    triples = zip(_elements(self, self), _elements(self, x), _elements(self, y), strict=True)
    return _write(self, [callable(a, b, c) for a, b, c in triples])


METHODS.update({"apply_": apply_, "map_": map_, "map2_": map2_})
