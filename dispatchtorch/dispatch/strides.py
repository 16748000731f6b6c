"""In which order the elements of a result lie: as those of the arguments do, by PyTorch's rule.

Only libraries whose arrays cannot change come here, and only where an argument has the mark of a view: there a lens
says what the library's own arrays cannot. A result that is not row-major bears the mark itself, so plain tensors pay
nothing. Must not know ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.lens import Lens, contiguous_strides, is_contiguous, is_non_overlapping_and_dense
from dispatchtorch.tensor.tensor import Tensor, extra_of, lens_of

__all__ = ["LAID_ALIKE", "keeping", "laid_like", "like_lens", "ordered"]

LAID_ALIKE: Final = ("_clone", "_cast")  # no elementwise ops, but their results lie as their arguments do


def ordered(lenses: Sequence[Lens], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the strides of an elementwise result of ``shape`` from arguments that lie so.

    Arguments that all lie alike, without gaps, are followed to the letter. Else dims are sorted by the first argument's
    strides; the next ones decide where it repeats or is undecided.
    """
    first = lenses[0]
    if all(lens.shape == shape and lens.strides == first.strides for lens in lenses):
        if is_non_overlapping_and_dense(first):
            return first.strides
    elif all(lens.shape == shape and is_contiguous(lens) for lens in lenses):
        return contiguous_strides(shape)
    ndim = len(shape)
    wide = [(0,) * (ndim - len(lens.shape)) + _moving(lens) for lens in lenses]
    order = list(range(ndim))[::-1]  # fastest first

    def compared(one: int, two: int) -> int:
        for strides in wide:
            a, b = strides[one], strides[two]
            if not a or not b:
                continue
            if a != b:
                return -1 if a < b else 1
            if shape[one] > shape[two]:
                return 1
        return 0

    for i in range(1, ndim):
        at = i
        for before in range(i - 1, -1, -1):
            result = compared(order[before], order[at])
            if result > 0:
                order[before], order[at] = order[at], order[before]
                at = before
            elif result < 0:
                break
    strides, step = [0] * ndim, 1
    for dim in order:
        strides[dim] = step
        step *= shape[dim] or 1
    return tuple(strides)


def _moving(lens: Lens) -> tuple[int, ...]:
    """Returns strides with 0 for what is broadcast: a dimension of size 1 decides nothing."""
    return tuple([0 if size == 1 else stride for size, stride in zip(lens.shape, lens.strides, strict=True)])


def like_lens(input: Tensor) -> Lens | None:
    """Returns the lens of a new tensor like ``input``, without gaps; None where it is row-major."""
    lens = lens_of(input)
    if is_contiguous(lens):
        return None
    strides = ordered([lens], lens.shape)
    return None if is_contiguous(Lens(lens.shape, strides, 0)) else Lens(lens.shape, strides, 0)


def _is_odd(t: Tensor) -> bool:
    """Returns whether the elements lie in any way but row-major; worked out once for each lens."""
    extra = t._extra
    if extra is None or extra.lens is None:
        return False
    lens, odd = extra.odd
    if lens is not extra.lens:
        odd = not is_contiguous(extra.lens)
        extra.odd = (extra.lens, odd)
    return odd


def laid_like(t: Tensor, args: Sequence[Any]) -> Tensor:
    """Returns a fresh result, told that its elements lie as those of the arguments do."""
    shape = tuple(t._a.shape)
    if len(shape) < 2 or not any(isinstance(a, Tensor) and _is_odd(a) for a in args):
        return t
    lenses = [lens_of(a) for a in args if isinstance(a, Tensor) and a._a.shape]
    lens = Lens(shape, ordered(lenses, shape), 0)
    if lens.strides == contiguous_strides(shape):
        return t
    key = t._key
    t._key = intern_key(key.backend, key.device, key.dtype, key.zero_dim, key.requires, True, key.inference)
    extra_of(t).lens = lens
    return t


def keeping(plan: Callable[..., Any], native: bool) -> Callable[..., Any]:
    """Returns the plan with results that lie as the arguments do; the plan itself where the library sees to that."""
    if native:
        return plan

    def kept(*args: Any) -> Any:
        return laid_like(plan(*args), args)

    return kept
