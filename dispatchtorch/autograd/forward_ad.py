"""Forward-mode differentiation: dual tensors, which carry a tangent along.

A dual tensor is a place on the tape that the level remembers together with its tangent; the tangent of a result is
found when it is asked for, from what was recorded in between. So results say that they require a gradient, and what is
computed without recording has no tangent.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.autograd.tape import fresh, push, recording
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


class _Dual(NamedTuple):
    place: Tensor
    primal: Tensor
    tangent: Tensor


_levels: Final[list[list[_Dual]]] = []


def enter_dual_level() -> int:
    """Returns the number of a new level, 0; RuntimeError inside another one, as in torch."""
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append([])
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leaves the level: its duals become ordinary tensors. RuntimeError where there is none."""
    if not _levels:
        raise RuntimeError("Dual level must be a positive number.")
    if level is not None and level != len(_levels) - 1:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    _levels.pop()


class dual_level:
    """A level of duals for a block."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Returns the tensor as a dual with a tangent; RuntimeError outside a level and for a tangent of another size.

    >>> import dispatchtorch.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     fwAD.unpack_dual(x * x).tangent
    tensor(6.)
    """
    if not _levels or (level is not None and level < 0):
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for what, t in (("primal", tensor), ("tangent", tangent)):
        if t._key.dtype.category < FLOATING:
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t._key.dtype}")
    if tuple(tensor._a.shape) != tuple(tangent._a.shape):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor._a.shape)} while the given forward gradient is of size "
            f"{list(tangent._a.shape)}."
        )
    if any(dual.place is tensor for dual in _levels[-1]):
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not "
            "supported."
        )
    place = fresh(tensor)
    _levels[-1].append(_Dual(place, tensor, tangent))
    return place


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Returns the tensor without its tangent, and the tangent: None outside a level, or where it depends on no dual."""
    duals = _levels[-1] if _levels and (level is None or level >= 0) else []
    if not duals or not tensor._key.requires:
        return UnpackedDualTensor(tensor, None)
    for dual in duals:
        if dual.place is tensor:
            return UnpackedDualTensor(dual.primal, dual.tangent)
    places = [dual.place for dual in duals]
    outer = any(dual.primal._key.requires or dual.tangent._key.requires for dual in duals)
    with recording():
        (tangent,) = push([tensor], places)([dual.tangent for dual in duals], keep=outer)
    if tangent is None:
        return UnpackedDualTensor(tensor, None)
    primal: Any = tensor if outer else tensor.detach()
    return UnpackedDualTensor(primal, tangent if outer else tangent.detach())
