"""Backward and grad, told as stories: what accumulates where, what is kept, what is refused, and in which words."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def leaf(torch, *values):
    return torch.tensor(list(values), requires_grad=True)


@story
def gradients_accumulate_into_the_same_object(torch):
    x = leaf(torch, 1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    pointer = first.data_ptr()
    (x * 3).sum().backward()
    return x.grad, x.grad is first, x.grad.data_ptr() == pointer


@story
def gradients_of_two_leaves_share_nothing(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    (x + y).sum().backward()
    x.grad.add_(1)
    return x.grad, y.grad, x.grad.data_ptr() == y.grad.data_ptr()


@story
def a_given_gradient_is_not_taken_over(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 2.0)
    g = torch.tensor([1.0, 1.0])
    (x + y).backward(g)
    x.grad.mul_(5)
    (x + 0).backward(g)
    return g, x.grad, y.grad


@story
def a_leaf_is_its_own_root(torch):
    x = torch.tensor(2.0, requires_grad=True)
    x.backward()
    g = torch.tensor(3.0)
    x.backward(g)
    return x.grad, g, x.grad is g


@story
def create_graph_replaces_the_gradient(torch):
    x = leaf(torch, 1.0, 2.0)
    (x * x * x).sum().backward(create_graph=True)
    first = x.grad
    (first * first).sum().backward()
    return x.grad, first is x.grad, first.requires_grad


@story
def a_second_backward_is_refused(torch):
    x = leaf(torch, 1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    return attempt(y.backward), x.grad


@story
def a_second_backward_without_saved_tensors_works(torch):
    x = leaf(torch, 1.0, 2.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


@story
def a_second_backward_through_exp_is_refused(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x.exp().sum()
    y.backward()
    return attempt(y.backward)


@story
def a_graph_is_kept_when_asked(torch):
    x = leaf(torch, 1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, attempt(y.backward)


@story
def part_of_a_graph_may_be_shared(torch):
    x = leaf(torch, 2.0)
    shared = x * x
    a, b = (shared * 3).sum(), (shared * 4).sum()
    a.backward()
    return x.grad, attempt(b.backward)


@story
def double_backward(torch):
    x = leaf(torch, 0.5, 2.0)
    (g,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (ggg,) = torch.autograd.grad(gg.sum(), x)
    return g, gg, ggg, g.requires_grad, ggg.requires_grad


@story
def double_backward_through_exp_and_division(torch):
    x, y = leaf(torch, 0.5, 2.0), leaf(torch, 1.5, -2.0)
    out = (x.exp() / y).sum()
    gx, gy = torch.autograd.grad(out, (x, y), create_graph=True)
    return torch.autograd.grad((gx * gy).sum(), (x, y))


@story
def backward_needs_a_scalar(torch):
    x = leaf(torch, 1.0, 2.0)
    return attempt((x * 2).backward), attempt(lambda: torch.autograd.grad(x * 2, x))


@story
def one_element_is_scalar_enough(torch):
    x = torch.tensor([[3.0]], requires_grad=True)
    (x * 2).backward()
    return x.grad


@story
def backward_needs_history(torch):
    x = torch.tensor(1.0)
    return attempt(x.backward), attempt((x * 2).backward), attempt(lambda: torch.autograd.grad(x, x))


@story
def a_gradient_has_the_shape_of_its_output(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    return (
        attempt(lambda: y.backward(torch.ones(3))),
        attempt(lambda: y.backward(torch.ones(2, 1))),
        attempt(lambda: torch.autograd.backward([y, y], [torch.ones(2)])),
        attempt(lambda: y.backward([1.0, 2.0])),
        x.grad,
    )


@story
def complex_outputs_need_a_gradient(torch):
    x = torch.tensor(1.0 + 2.0j, requires_grad=True)
    return attempt((x * x).backward)


@story
def unused_inputs(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 3.0)
    out = (x * 2).sum()
    return (
        attempt(lambda: torch.autograd.grad(out, (x, y), retain_graph=True)),
        torch.autograd.grad(out, (x, y), retain_graph=True, allow_unused=True),
        torch.autograd.grad(out, (x, y), retain_graph=True, materialize_grads=True),
        attempt(lambda: torch.autograd.grad(out, (x, y), allow_unused=False, materialize_grads=True)),
    )


@story
def grad_of_what_requires_none(torch):
    x, y = leaf(torch, 1.0, 2.0), torch.tensor([1.0, 1.0])
    return attempt(lambda: torch.autograd.grad((x * y).sum(), (x, y)))


@story
def grad_leaves_grad_alone(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    got = torch.autograd.grad((x * y).sum(), x)
    return got, x.grad, y.grad


@story
def grad_of_the_same_input_twice(torch):
    x = leaf(torch, 1.0, 2.0)
    return torch.autograd.grad((x * x).sum(), (x, x))


@story
def grad_of_something_in_the_middle(torch):
    x = leaf(torch, 1.0, 2.0)
    middle = x * 2
    out = (middle * middle).sum()
    gm, gx = torch.autograd.grad(out, (middle, x))
    return gm, gx, x.grad, middle.retains_grad


@story
def grad_of_the_output_itself(torch):
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    return torch.autograd.grad(y, (y, x))


@story
def grad_of_several_outputs(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    return torch.autograd.grad([(x * y).sum(), x + y], [x, y], [None, torch.tensor([10.0, 20.0])])


@story
def backward_into_chosen_inputs(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    middle = x * y
    out = (middle * x).sum()
    out.backward(inputs=[x], retain_graph=True)
    first = (x.grad.tolist(), y.grad)
    out.backward(inputs=(y, middle), retain_graph=True)
    return first, x.grad, y.grad, middle.grad, attempt(lambda: out.backward(inputs=[]))


@story
def several_roots(torch):
    x = leaf(torch, 1.0, 2.0)
    torch.autograd.backward([(x * 2).sum(), (x * x).sum()])
    first = x.grad.clone()
    torch.autograd.backward((x * x, x + 1), (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])))
    return first, x.grad


@story
def broadcasting_is_undone(torch):
    x, y = torch.ones(2, 3, requires_grad=True), torch.tensor([[2.0]], requires_grad=True)
    z = torch.tensor(3.0, requires_grad=True)
    ((x * y) + z).sum().backward()
    return x.grad, y.grad, y.grad.shape == y.shape, z.grad


@story
def a_gradient_has_the_dtype_of_its_leaf(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    return str(x.grad.dtype), str(y.grad.dtype), x.grad, y.grad


@story
def assigning_a_gradient(torch):
    x = leaf(torch, 1.0, 2.0)
    x.grad = torch.tensor([5.0, 5.0])
    (x * 2).sum().backward()
    kept = x.grad
    del x.grad
    return (
        kept,
        x.grad,
        attempt(lambda: setattr(x, "grad", torch.ones(3))),
        attempt(lambda: setattr(x, "grad", torch.ones(2, dtype=torch.float64))),
        attempt(lambda: setattr(x, "grad", 3)),
        attempt(lambda: setattr(x, "grad", x)),
    )


@story
def the_gradient_of_a_non_leaf_warns(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    return y.grad


@story
def retained_gradients(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    out = (y * y).sum()
    out.backward(retain_graph=True)
    first = y.grad.clone()
    out.backward()
    return first, y.grad, y.retains_grad, x.retains_grad, attempt(torch.ones(1).retain_grad)


@story
def is_leaf_and_grad_fn(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    plain = torch.ones(2)
    return (
        x.is_leaf,
        y.is_leaf,
        plain.is_leaf,
        (plain * 2).is_leaf,
        x.grad_fn,
        y.grad_fn.name(),
        [(type(f).__name__, n) for f, n in y.grad_fn.next_functions],
        y.grad_fn.next_functions[0][0].variable is x,
        y.output_nr,
    )


@story
def changing_requires_grad(torch):
    x = leaf(torch, 1.0)
    y = x * 2
    whole = torch.tensor([1, 2])
    return (
        attempt(lambda: setattr(y, "requires_grad", False)),
        attempt(lambda: y.requires_grad_(False)),
        attempt(lambda: setattr(whole, "requires_grad", True)),
        attempt(lambda: whole.requires_grad_()),
        attempt(lambda: torch.tensor([1, 2], requires_grad=True)),
        x.requires_grad_(False).requires_grad,
        y.requires_grad_().requires_grad,
    )


@story
def detached_tensors_share_memory_and_version(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 1
    d = y.detach()
    out = (y * y).sum()
    d.add_(1)
    return d.requires_grad, d.is_leaf, y, y._version, d._version, attempt(out.backward)


@story
def a_saved_tensor_that_was_written(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    out = (y * y).sum()
    y.add_(1)
    return attempt(out.backward), x.grad


@story
def a_saved_leaf_that_was_written(torch):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    out = (x * w).sum()
    with torch.no_grad():
        w.sub_(1)
    return attempt(out.backward)


@story
def a_saved_output_that_was_written(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x.exp()
    y.add_(1)
    return attempt(y.sum().backward)


@story
def writing_what_nobody_saved_is_fine(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    z = y + 1
    y.add_(1)
    (z.sum() + y.sum()).backward()
    return x.grad


@story
def writing_data_goes_unnoticed(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    out = (y * y).sum()
    y.data.add_(1)
    out.backward()
    return x.grad, y._version


@story
def anomaly_mode_names_the_call(torch):
    x = torch.tensor(-1.0, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        y = x.sqrt()
        return attempt(y.backward)


@story
def anomaly_mode_warns_and_ends(torch):
    with torch.autograd.detect_anomaly():
        on = torch.is_anomaly_enabled() if hasattr(torch, "is_anomaly_enabled") else None
    return on, torch.is_anomaly_enabled()


@story
def integer_arguments_get_no_gradient(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    n = torch.tensor([2, 3])
    (x * n).sum().backward()
    return x.grad, (n + 1).requires_grad, (x > 1).requires_grad


@story
def a_diamond(torch):
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x
    z = y * x + y * y + x
    z.backward()
    return x.grad


@story
def gradients_through_views(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x.t()[0] * torch.tensor([1.0, 10.0])).sum().backward()
    x.view(4)[1:3].sum().backward()
    x.expand(3, 2, 2).sum().backward()
    return x.grad


@story
def gradients_that_are_views_are_not_shared(torch):
    x = torch.ones(2, 2, requires_grad=True)
    g = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    x.t().backward(g)
    x.grad.add_(1)
    y = torch.ones(3, requires_grad=True)
    y.sum().backward()
    y.grad.mul_(torch.tensor([1.0, 2.0, 3.0]))
    return x.grad, g, y.grad, y.grad.stride()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
