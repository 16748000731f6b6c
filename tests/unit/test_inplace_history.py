"""In-place writes and autograd, told as stories: through views, views of views, bases, and what is refused."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def leaf(torch, *values):
    return torch.tensor(list(values), requires_grad=True)


@story
def a_write_through_a_view_reaches_the_base(torch):
    a = leaf(torch, 1.0, 1.0, 1.0)
    b = a * 2
    b[0].mul_(5)
    b.sum().backward()
    return a.grad, b, b.grad_fn.name()


@story
def a_write_through_a_view_of_a_view(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x * 1
    y.t()[1].mul_(10)
    y.view(4)[0:1].add_(5)
    (y * y).sum().backward()
    return y, x.grad


@story
def a_view_made_before_a_write_sees_its_history(torch):
    x = leaf(torch, 1.0, 2.0, 3.0)
    y = x * 1
    v = y[1:]
    y.mul_(3)
    v.sum().backward()
    return v, x.grad, v.grad_fn.name()


@story
def views_see_each_others_writes(torch):
    x = leaf(torch, 1.0, 2.0, 3.0)
    y = x * 1
    v, w = y[:2], y[1:]
    v.mul_(4)
    (w * w).sum().backward()
    return w, x.grad


@story
def a_chain_of_writes(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    y.mul_(2).add_(1).mul_(y.detach())
    y.sum().backward()
    return y, x.grad


@story
def writing_a_tensor_that_requires_into_one_that_does_not(torch):
    x = leaf(torch, 2.0)
    y = torch.zeros(3)
    y[1] = x[0] * 3
    y[2:].copy_(x * 5)
    (y * y).sum().backward()
    return y, y.requires_grad, y.is_leaf, x.grad


@story
def a_view_of_a_plain_base_starts_to_require(torch):
    x = leaf(torch, 2.0, 3.0)
    base = torch.zeros(2, 2)
    row = base[0]
    row.add_(x)
    (base * base).sum().backward()
    return base.requires_grad, row.requires_grad, row.grad_fn.name(), x.grad


@story
def another_view_of_a_plain_base_requires_too(torch):
    x = leaf(torch, 2.0, 3.0)
    base = torch.zeros(2, 2)
    row, column = base[0], base[:, 0]
    row.add_(x)
    (column * 7).sum().backward()
    return column.requires_grad, x.grad


@story
def leaves_refuse(torch):
    x = leaf(torch, 1.0, 2.0)
    v = x[0]
    w = x.view(2)
    return (
        attempt(lambda: x.add_(1)),
        attempt(lambda: v.add_(1)),
        attempt(lambda: w.mul_(torch.ones(2))),
        attempt(lambda: x.__setitem__(0, 1.0)),
        attempt(lambda: x.zero_()),
        attempt(lambda: x.copy_(torch.ones(2))),
        attempt(lambda: x.fill_(3.0)),
        x,
        x._version,
    )


@story
def a_view_made_without_recording_refuses(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    with torch.no_grad():
        v = y[0]
    return attempt(lambda: v.mul_(2)), y


@story
def a_view_made_and_written_without_recording(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    with torch.no_grad():
        y[0].mul_(2)
    y.sum().backward()
    return y, x.grad, y._version


@story
def views_that_come_together_refuse(torch):
    x = leaf(torch, 1.0, 2.0, 3.0, 4.0)
    y = x * 1
    a, b = y.split(2)
    c, _ = y.chunk(2)
    rows = y.view(2, 2).unbind(0)
    return (
        attempt(lambda: a.mul_(2)),
        attempt(lambda: b.mul_(2)),
        attempt(lambda: c.mul_(2)),
        attempt(lambda: rows[1].mul_(2)),
        y,
    )


@story
def views_that_come_together_may_be_written_where_nothing_requires(torch):
    y = torch.tensor([1.0, 2.0, 3.0, 4.0])
    y.split(2)[0].add_(10)
    for row in y.view(2, 2):
        row.mul_(2)
    return y


@story
def writing_the_base_is_seen_by_views_that_come_together(torch):
    x = leaf(torch, 1.0, 2.0, 3.0, 4.0)
    y = x * 1
    a, b = y.split(2)
    y.mul_(2)
    return attempt(lambda: (a.sum() + b.sum()).backward()), attempt(lambda: x.grad)


@story
def a_write_changes_no_earlier_result(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    early = y + 0
    y.mul_(100)
    (early.sum() + y.sum()).backward()
    return early, x.grad


@story
def a_write_after_saving_is_noticed_through_views(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    v = y.view(2)
    out = (v * v).sum()
    y.add_(1)
    return attempt(out.backward).partition(", which is output")[0]


@story
def relu_in_place(torch):
    x = leaf(torch, -1.0, 2.0)
    y = x * 3
    y.relu_()
    (y * y).sum().backward()
    return y, x.grad


@story
def exp_in_place(torch):
    x = leaf(torch, -1.0, 2.0)
    y = x * 1
    y.exp_()
    y.sum().backward()
    return y, x.grad


@story
def in_place_with_itself(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    y.add_(y)
    y.sum().backward()
    z = leaf(torch, 1.0, 2.0) * 1
    z.mul_(z)
    return x.grad, attempt(z.sum().backward)


@story
def in_place_with_a_view_of_itself(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x * 1
    y[0].add_(y[1])
    (y * y).sum().backward()
    return y, x.grad


@story
def zero_and_fill_cut_the_history(torch):
    x = leaf(torch, 1.0, 2.0, 3.0)
    y = x * 2
    y[0].zero_()
    y[1:2].fill_(9.0)
    (y * y).sum().backward()
    return y, x.grad


@story
def setting_items(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    v = leaf(torch, 5.0)
    y = x * 1
    y[0, 1] = v[0]
    y[1] = 2 * v
    y[0, 0] = 7
    (y * y).sum().backward()
    return y, x.grad, v.grad


@story
def a_write_into_a_transposed_view_keeps_strides(torch):
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = x * 1
    t = y.t()
    t.mul_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    t.sum().backward()
    return y, x.grad, t.stride(), t.is_contiguous()


@story
def versions_are_shared(torch):
    x = torch.zeros(4)
    v, d = x[:2], x.detach()
    v.add_(1)
    x.add_(1)
    d.mul_(2)
    x.data.add_(1)
    return x._version, v._version, d._version, x


@story
def the_base_of_a_view(torch):
    x = torch.zeros(4)
    v = x[:2].view(2, 1)
    return v._base is x, x._base, v._is_view(), x._is_view(), x.detach()._is_view(), x.detach()._base is x


@story
def detach_in_place(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    v = y[0]
    z = x * 2
    z.detach_()
    return attempt(v.detach_), z.requires_grad, z.is_leaf, z.grad_fn


@story
def second_derivatives_through_writes(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    y[0].mul_(x[1])
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    return g, torch.autograd.grad(g.sum(), x)


@story
def a_hundred_writes(torch):
    x = leaf(torch, 1.0, 1.0, 1.0)
    y = x * 1
    for i in range(100):
        y[i % 3].mul_(1.01)
    y.sum().backward()
    return x.grad


@story
def an_accumulator(torch):
    x = leaf(torch, 1.0, 2.0)
    total = torch.zeros(2)
    for i in range(4):
        total += x * i
    total.sum().backward()
    return total, x.grad


@story
def iadd_keeps_the_object(torch):
    x = torch.ones(2)
    before = x
    pointer = x.data_ptr()
    x += 1
    x *= 2
    x -= 1
    x /= 3
    return x is before, x.data_ptr() == pointer, x


@story
def requires_grad_of_a_view_of_a_leaf(torch):
    x = torch.zeros(3)
    v = x[0]
    x.requires_grad_()
    w = x[1]
    return v.requires_grad, w.requires_grad, attempt(lambda: w.add_(1)), attempt(lambda: v.add_(1)), x


@story
def a_write_of_the_wrong_kind_changes_nothing(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    return (
        attempt(lambda: y.add_(torch.ones(3))),
        attempt(lambda: y.add_(torch.ones(2, 2))),
        attempt(lambda: y.add_(torch.ones(2, dtype=torch.complex64))),
        attempt(lambda: y.copy_(torch.ones(3))),
        y,
        y._version,
        y.grad_fn.name(),
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
