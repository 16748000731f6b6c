"""Where calls with sparse tensors leave the usual path: a closed list of ops, each a function over tensors.

No dense call comes here. Sparse keys share no plan with dense ones, and where a plan is made for one, `kernel_for` and
`leading_key` raise `SparseMet`; the call is then served from `SPARSE`, or refused in PyTorch's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["SPARSE", "SPARSE_WRITES", "SparseMet", "redirect", "redirect_write", "refuse", "sparse_op"]

F = TypeVar("F", bound=Callable[..., Any])

SPARSE: Final[dict[str, Callable[..., Any]]] = {}  # name of an op -> what it does where some argument is sparse
SPARSE_WRITES: Final[dict[str, Callable[..., Any]]] = {}  # the same for the op's in-place form


class SparseMet(Exception):
    """A plan was wanted for a call with a sparse tensor."""


def sparse_op(*names: str, write: bool = False) -> Callable[[F], F]:
    """Declares what the ops of these names do where an argument is sparse; ``write`` for their in-place forms."""

    def declare(function: F) -> F:
        for name in names:
            (SPARSE_WRITES if write else SPARSE)[name] = function
        return function

    return declare


def refuse(name: str, device: str = "cpu") -> NotImplementedError:
    """Returns PyTorch's error for an op that sparse tensors do not have."""
    return NotImplementedError(
        f"Could not run 'aten::{name}' with arguments from the 'Sparse{device.upper()}' backend. This could be because "
        "the operator doesn't exist for this backend; convert with .to_dense() first."
    )


def _device_of(args: Sequence[Any]) -> str:
    for value in args:
        if isinstance(value, Tensor):
            return value._key.device.type
        if isinstance(value, (list, tuple)):
            return _device_of(value)
    return "cpu"


def redirect(name: str, args: Sequence[Any]) -> Any:
    """Returns the result of an op some of whose arguments are sparse."""
    function = SPARSE.get(name)
    if function is None:
        raise refuse(name.strip("_"), _device_of(args))
    return function(*args)


def redirect_write(name: str, args: Sequence[Any]) -> Any:
    """Returns the first argument after an op's result was written into it."""
    function = SPARSE_WRITES.get(name)
    if function is None:
        target = args[0]
        if name not in SPARSE or not isinstance(target, SparseTensor):
            raise refuse(name.strip("_") + "_", _device_of(args))
        return become(target, redirect(name, args))
    return function(*args)


def become(target: SparseTensor, result: Any) -> SparseTensor:
    """Returns ``target``, which from now on has the values and the history of a sparse result of its shape."""
    if not isinstance(result, SparseTensor) or result._a.shape != target._a.shape:
        raise RuntimeError("an in-place op on a sparse tensor has to give a sparse tensor of the same sizes")
    target._a = result._a
    if result._edge is not None:
        target._edge = result._edge
        target._key = target._key.as_requires(True)
    cell = target._cell
    if cell is not None:
        cell.version += 1
    return target
