"""Hooks, told as stories: on tensors, leaves and nodes, in which order, and what their answers replace."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


@story
def a_hook_replaces_the_gradient(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 3).sum().backward()
    return seen, x.grad


@story
def a_hook_on_a_leaf(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    handle = x.register_hook(lambda g: g + 1)
    (x * 2).sum().backward()
    first = x.grad.clone()
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    return first, x.grad


@story
def a_hook_on_a_leaf_that_is_used_twice(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    return seen, x.grad


@story
def a_post_hook_on_a_leaf_that_is_used_twice(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.tolist())))
    (x * 2 + x * 3).sum().backward()
    return seen


@story
def hooks_work_with_grad(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: g * 100)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append("post"))
    y = x * 2
    y.register_hook(lambda g: g + 1)
    got = torch.autograd.grad(y.sum(), (x, y))
    return got, seen, x.grad


@story
def a_hook_as_context(torch):
    x = torch.tensor([1.0], requires_grad=True)
    with x.register_hook(lambda g: g * 2):
        x.sum().backward()
    x.sum().backward()
    return x.grad


@story
def hooks_are_refused_where_no_gradient_flows(torch):
    x = torch.ones(1)
    y = torch.ones(1, requires_grad=True) * 2
    return (
        attempt(lambda: x.register_hook(print)),
        attempt(lambda: x.register_post_accumulate_grad_hook(print)),
        attempt(lambda: y.register_post_accumulate_grad_hook(print)),
    )


@story
def order_of_hooks(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    said = []
    y.grad_fn.register_hook(lambda gi, go: said.append(("node", [g is None for g in gi], [g.tolist() for g in go])))
    y.grad_fn.register_prehook(lambda go: said.append(("pre", [g.tolist() for g in go])))
    y.register_hook(lambda g: said.append(("tensor", g.tolist())))
    y.retain_grad()
    x.register_hook(lambda g: said.append(("leaf", g.tolist())))
    x.register_post_accumulate_grad_hook(lambda t: said.append(("post", t.grad.tolist())))
    (y * 3).sum().backward()
    return said, y.grad


@story
def node_hooks_replace(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] + 1, gi[1]))
    y.sum().backward()
    return x.grad


@story
def retain_grad_sees_what_hooks_made(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 7)
    y.sum().backward()
    return y.grad, x.grad


@story
def a_hook_must_return_a_tensor(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: 3)
    return attempt(y.sum().backward)


@story
def a_hook_must_keep_the_shape(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: torch.ones(3))
    return attempt(y.sum().backward)


@story
def a_hook_that_raises_ends_backward(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2

    def refuse(g):
        raise ValueError("no")

    y.register_hook(refuse)
    return attempt(y.sum().backward), torch.is_grad_enabled(), x.grad


@story
def hooks_before_an_in_place_write_see_the_old_gradient(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(("before", g.tolist())))
    y.mul_(5)
    y.register_hook(lambda g: seen.append(("after", g.tolist())))
    y.sum().backward()
    return seen, x.grad


@story
def retain_grad_follows_an_in_place_write(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(5)
    (y * 2).sum().backward()
    return y.grad, x.grad


@story
def a_post_hook_may_drop_the_gradient(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda t: setattr(t, "grad", None))
    (x * 2).sum().backward()
    return x.grad


@story
def a_backward_within_a_hook(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    z = torch.tensor([3.0], requires_grad=True)
    y = x * 2

    def again(g):
        with torch.enable_grad():
            (z * z).sum().backward()

    y.register_hook(again)
    y.sum().backward()
    return x.grad, z.grad


@story
def gradients_in_hooks_record_only_when_asked(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    y = x * x
    y.register_hook(lambda g: seen.append((g.requires_grad, torch.is_grad_enabled())))
    torch.autograd.grad(y.sum(), x, retain_graph=True)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    return seen


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
