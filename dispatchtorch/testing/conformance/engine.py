"""The laws of whole programs on a backend: backward, views under autograd, errors that change nothing, random streams.

Written as a user would write them, over the facade; each is a function that raises AssertionError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import dispatchtorch as torch
from dispatchtorch.plugin.selection import default_backend

__all__ = ["LAWS"]


def _tensor(data: Any, **options: Any) -> Any:
    return torch.tensor(data, device=default_backend().devices[0], **options)


def _raises(kind: type[Exception], words: str, action: Callable[[], Any]) -> None:
    said = None
    try:
        action()
    except kind as error:
        said = str(error)
    assert said is not None, f"did not raise {kind.__name__}: {words}"
    assert words in said, f"said {said}\nnot {words}"


def gradients_accumulate_in_leaves() -> None:
    """Two backward passes add up."""
    x = _tensor([1.0, 2.0, 3.0], requires_grad=True)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0], x.grad


def a_write_through_a_view_is_differentiated() -> None:
    """``b = a * 2; b[0].mul_(5)`` has the gradient 10, 2, 2."""
    a = _tensor([1.0, 1.0, 1.0], requires_grad=True)
    b = a * 2
    b[0].mul_(5)
    b.sum().backward()
    assert a.grad.tolist() == [10.0, 2.0, 2.0], a.grad


def writes_reach_base_and_all_views() -> None:
    """A transposed row is written; the base and another view see it, and the storage has not moved."""
    x = _tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    pointer, flat = x.storage().data_ptr(), x.view(6)
    x.t()[1].add_(10)
    assert x.tolist() == [[0.0, 11.0, 2.0], [3.0, 14.0, 5.0]], x
    assert flat.tolist() == [0.0, 11.0, 2.0, 3.0, 14.0, 5.0], flat
    assert x.t().stride() == (1, 3), x.t().stride()
    assert x.storage().data_ptr() == pointer == flat.storage().data_ptr(), "data_ptr of the storage moved"
    x.diagonal().fill_(0)
    x.split(1)[1].add_(1)
    assert x.tolist() == [[0.0, 11.0, 2.0], [4.0, 1.0, 6.0]], x


def second_derivatives_come_from_first_ones() -> None:
    """The second derivative of x ** 3 is 6 x."""
    x = _tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x * x * x, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert (first.item(), second.item()) == (12.0, 12.0), (first, second)


def a_freed_graph_is_refused() -> None:
    """backward twice is torch's error."""
    x = _tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    _raises(RuntimeError, "Trying to backward through the graph a second time", y.backward)


def a_modified_saved_tensor_is_refused() -> None:
    """What backward needs must not have been written since."""
    x = _tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.mul_(2)
    _raises(RuntimeError, "has been modified by an inplace operation", y.sum().backward)


def a_leaf_is_not_written_while_recorded() -> None:
    """In place on a leaf that requires a gradient: torch's error, and the leaf is as it was."""
    x = _tensor([1.0, 2.0], requires_grad=True)
    _raises(
        RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation.", lambda: x.add_(1)
    )
    assert x.tolist() == [1.0, 2.0], x
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0], x


def errors_leave_tensors_as_they_were() -> None:
    """Shapes, dtypes and dims that do not fit raise torch's sentences before anything is written."""
    x, y = _tensor([[1.0, 2.0, 3.0]] * 2), _tensor([1.0, 2.0])
    _raises(
        RuntimeError,
        "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1",
        lambda: x + y,
    )
    _raises(RuntimeError, "The size of tensor a (3) must match the size of tensor b (2)", lambda: x.add_(y))
    _raises(IndexError, "Dimension out of range (expected to be in range of [-2, 1], but got 2)", lambda: x.sum(2))
    whole = _tensor([1, 2, 3])
    _raises(RuntimeError, "result type Float can't be cast to the desired output type Long", lambda: whole.mul_(1.5))
    spread = _tensor([1.0]).expand(3)
    _raises(
        RuntimeError, "unsupported operation: more than one element of the written-to tensor", lambda: spread.add_(1)
    )
    _raises(RuntimeError, "grad can be implicitly created only for scalar outputs", (x.requires_grad_() * 2).backward)
    assert (x.tolist(), whole.tolist(), spread.tolist()) == ([[1.0, 2.0, 3.0]] * 2, [1, 2, 3], [1.0] * 3)


def nothing_is_recorded_under_no_grad() -> None:
    """``no_grad`` and ``detach`` cut the history."""
    x = _tensor([1.0], requires_grad=True)
    with torch.no_grad():
        y = x * 2
    assert not y.requires_grad, "no_grad recorded"
    assert not x.detach().requires_grad, "detach kept the history"
    assert (x * 2).requires_grad, "nothing was recorded"


def a_seed_gives_torchs_numbers() -> None:
    """``manual_seed(1)`` and ``randn(5)``: the numbers that torch prints."""
    torch.manual_seed(1)
    drawn = torch.randn(5, device=default_backend().devices[0]).tolist()
    expected = [0.6614, 0.2669, 0.0617, 0.6213, -0.4519]
    assert all(abs(a - b) < 5e-5 for a, b in zip(drawn, expected, strict=True)), drawn
    state = torch.get_rng_state()
    first = torch.rand(3).tolist()
    torch.set_rng_state(state)
    assert torch.rand(3).tolist() == first, "a restored state draws other numbers"


LAWS: Final[tuple[Callable[[], None], ...]] = (
    gradients_accumulate_in_leaves,
    a_write_through_a_view_is_differentiated,
    writes_reach_base_and_all_views,
    second_derivatives_come_from_first_ones,
    a_freed_graph_is_refused,
    a_modified_saved_tensor_is_refused,
    a_leaf_is_not_written_while_recorded,
    errors_leave_tensors_as_they_were,
    nothing_is_recorded_under_no_grad,
    a_seed_gives_torchs_numbers,
)
