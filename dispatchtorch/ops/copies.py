"""View ops that copy: ``torch.squeeze_copy`` and its kin give what `squeeze` gives, in memory of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, with_out
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["COPIES"]

#: The function of the torch namespace, and the method whose view it copies.
COPIES: Final = {
    "as_strided_copy": "as_strided", "detach_copy": "detach", "diagonal_copy": "diagonal", "expand_copy": "expand",
    "permute_copy": "permute", "select_copy": "select", "split_copy": "split",
    "split_with_sizes_copy": "split_with_sizes", "squeeze_copy": "squeeze", "t_copy": "t",
    "transpose_copy": "transpose", "unbind_copy": "unbind", "unfold_copy": "unfold", "unsqueeze_copy": "unsqueeze",
    "view_copy": "view", "view_as_complex_copy": "view_as_complex", "view_as_real_copy": "view_as_real",
    "unsafe_chunk": "chunk", "unsafe_split": "split", "unsafe_split_with_sizes": "split_with_sizes",
}  # fmt: skip


def _own(v: Any) -> Any:
    return tuple([_own(one) for one in v]) if isinstance(v, (tuple, list)) else METHODS["clone"](v)


def _copying(name: str, view: str) -> Callable[..., Any]:
    def copied(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        source = FUNCTIONS.get(view) or METHODS[view]
        return _own(source(input, *args, **kwargs))

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"Returns what `{view}` returns, with memory of its own: writes to it reach nothing else."
    return copied if name.startswith("unsafe") else with_out(copied)


def narrow_copy(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """Returns a copy of ``length`` indices from ``start`` on along ``dim``, checked in torch's order."""
    shape = input._a.shape
    if shape and not isinstance(start, Tensor):
        if dim >= len(shape):
            raise RuntimeError(
                "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error "
                "message be improved?  If so, please report an enhancement request to PyTorch.)"
            )
        size = int(shape[wrap_dim(dim, len(shape))])
        first = start + size if -size <= start < 0 else start
        if length < 0 and 0 <= first <= size:
            raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({size}).")
    return METHODS["clone"](METHODS["narrow"](input, dim, start, length))  # type: ignore[no-any-return]  # an entry of the table


def alias_copy(input: Tensor) -> Tensor:
    """Returns a copy of the tensor."""
    return METHODS["clone"](input)  # type: ignore[no-any-return]  # an entry of the table


def slice_copy(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Returns a copy of every ``step``-th slice along ``dim`` from ``start`` up to ``end``."""
    index = (slice(None),) * (dim % max(len(input._a.shape), 1)) + (slice(start, end, step),)
    return METHODS["clone"](input[index])  # type: ignore[no-any-return]  # an entry of the table


FUNCTIONS.update({name: _copying(name, view) for name, view in COPIES.items()})
FUNCTIONS.update({f.__name__: with_out(f) for f in (alias_copy, narrow_copy, slice_copy)})
METHODS.update({name: FUNCTIONS[name] for name in ("unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes")})
METHODS["narrow_copy"] = FUNCTIONS["narrow_copy"]
