"""Inference mode, told as stories: which tensors are marked, and what is refused with them."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


@story
def what_is_made_within_is_marked(torch):
    w, n = torch.ones(2, requires_grad=True), torch.ones(2)
    with torch.inference_mode():
        made = [
            torch.ones(2),
            w * 2,
            n + 1,
            n.sum(),
            torch.softmax(n, 0),
            torch.cat([n, n]),
            n.clone(),
            torch.mm(n[None], n[:, None]),
        ]
        views = [n.view(1, 2), w.detach(), n[0]]
        with torch.inference_mode(False):
            inner = torch.ones(1)
    a = made[0]
    outside = [a + 1, a.clone(), a.view(2), a.detach(), a[0], torch.ones(1)]
    return [[t.is_inference() for t in group] for group in (made, views, [inner], outside)]


@story
def what_is_marked_is_not_written_outside(torch):
    with torch.inference_mode():
        a = torch.ones(2)
        a.mul_(2)
        a[0] = 5
    n = torch.ones(2)
    return (
        a.tolist(), attempt(lambda: a.add_(1)), attempt(lambda: a.zero_()), attempt(lambda: a.copy_(n)),
        attempt(lambda: a.__setitem__(0, 1)), attempt(lambda: a.view(2).add_(1)), attempt(lambda: a.requires_grad_()),
        attempt(lambda: a._version), n.add_(a).is_inference(),
    )  # fmt: skip


@story
def what_is_marked_is_not_saved(torch):
    w = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        a = torch.ones(2)
        m = torch.ones(2, 2)

    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            return x * y

    return (
        attempt(lambda: w * a), attempt(lambda: (w * 2) @ a), attempt(lambda: torch.nn.functional.linear(m, m * w)),
        attempt(lambda: Times.apply(w, a)), (w + a).requires_grad, (w * a.clone()).requires_grad,
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
