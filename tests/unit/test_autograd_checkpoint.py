"""Checkpoints, told as stories: both ways, nested, with chance, and with a part that does otherwise the second time."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def _part(a):
    return a.sin().exp().cos()


def _run(torch, part, **how):
    x = torch.arange(4.0).requires_grad_()
    out = torch.utils.checkpoint.checkpoint(part, x, **how)
    out.sum().backward()
    return x.grad


@story
def both_ways_give_the_gradient(torch):
    counts = []

    def part(a):
        counts.append(len(counts))
        return _part(a)

    return (
        _run(torch, part, use_reentrant=True), _run(torch, part, use_reentrant=False), len(counts),
        _run(torch, part, use_reentrant=False, early_stop=False), _run(torch, part), len(counts),
    )  # fmt: skip


@story
def checkpoints_within_checkpoints(torch):
    counts = []
    checkpoint = torch.utils.checkpoint.checkpoint

    def inner(a):
        counts.append(1)
        return _part(a)

    def middle(a):
        return checkpoint(inner, a.sin(), use_reentrant=False).exp()

    def outer(a):
        return checkpoint(middle, a.sin(), use_reentrant=False).exp()

    return _run(torch, middle, use_reentrant=False), _run(torch, outer, use_reentrant=False), len(counts)


@story
def a_second_derivative_and_two_backwards(torch):
    x = torch.arange(4.0).requires_grad_()
    out = torch.utils.checkpoint.checkpoint(_part, x, use_reentrant=False)
    (g,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    g.sum().backward()
    out = torch.utils.checkpoint.checkpoint(_part, x, use_reentrant=False).sum()
    out.backward(retain_graph=True)
    out.backward()
    return x.grad, attempt(out.backward)


@story
def a_part_that_does_otherwise(torch):
    def changing(first, then):
        state = []

        def part(a):
            state.append(1)
            return first(a) if len(state) == 1 else then(a)

        return part

    fewer = changing(lambda a: a.sin().exp(), lambda a: a.sin())
    more = changing(lambda a: a.sin(), lambda a: a.sin().exp())
    smaller = changing(lambda a: a.sin().exp().sum(), lambda a: a[:1].sin().exp().sum())
    return (
        str(attempt(lambda: _run(torch, fewer, use_reentrant=False))).split("Tip")[0],
        str(attempt(lambda: _run(torch, more, use_reentrant=False, early_stop=False))).split("Tip")[0],
        str(attempt(lambda: _run(torch, smaller, use_reentrant=False))).split("Tip")[0],
        attempt(lambda: _run(torch, smaller, use_reentrant=False, determinism_check="other")),
    )


@story
def chance_is_the_same_again(torch):
    found = []
    for how in (True, False):
        torch.manual_seed(3)
        x = torch.ones(20, requires_grad=True)
        drop = torch.nn.Dropout(0.5)
        out = torch.utils.checkpoint.checkpoint(lambda a, drop=drop: drop(a) * 2, x, use_reentrant=how)
        out.sum().backward()
        found.append((bool((out == x.grad).all()), torch.rand(1).item()))
    return found


@story
def what_is_refused(torch):
    checkpoint = torch.utils.checkpoint
    x = torch.ones(2, requires_grad=True)
    return (
        attempt(lambda: checkpoint.checkpoint(_part, x, use_reentrant=True, more=1)),
        attempt(lambda: checkpoint.checkpoint(_part, x, use_reentrant=True, debug=True)),
        attempt(lambda: torch.autograd.grad(checkpoint.checkpoint(_part, x, use_reentrant=True).sum(), x)),
        attempt(lambda: checkpoint.checkpoint(_part, torch.ones(2), use_reentrant=True).requires_grad),
        attempt(lambda: checkpoint.detach_variable(x)),
    )


@story
def in_segments(torch):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2), torch.nn.Tanh())
    grads = []
    for how in (True, False):
        x = torch.ones(1, 2, requires_grad=True)
        torch.utils.checkpoint.checkpoint_sequential(net, 2, x, use_reentrant=how).sum().backward()
        grads.append(x.grad)
    return grads


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
