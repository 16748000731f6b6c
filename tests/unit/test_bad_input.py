"""Bad input, told as stories: PyTorch's exception type and sentence, and tensors that are as they were."""

import numpy
import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


@story
def shapes_that_do_not_broadcast(torch):
    a, b = torch.ones(2, 3), torch.ones(4)
    return (
        attempt(lambda: a + b),
        attempt(lambda: a * torch.ones(2)),
        attempt(lambda: b - a),
        attempt(lambda: a == b),
        attempt(lambda: torch.where(a > 0, a, b)),
    )


@story
def shapes_that_do_not_multiply(torch):
    a, b = torch.ones(2, 3), torch.ones(4, 5)
    return (
        attempt(lambda: a @ b),
        attempt(lambda: torch.mm(a, torch.ones(3))),
        attempt(lambda: torch.mm(a, b)),
        attempt(lambda: torch.ones(3) @ torch.ones(4)),
        attempt(lambda: a @ torch.ones(4)),
        attempt(lambda: torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 3, 4))),
        attempt(lambda: torch.tensor(1.0) @ a),
        attempt(lambda: a @ torch.ones(3, 2, dtype=torch.int64)),
        attempt(lambda: a @ torch.ones(3, 2, dtype=torch.float64)),
    )


@story
def sizes_that_do_not_fit(torch):
    a = torch.ones(2, 3)
    return (
        attempt(lambda: a.view(4, 2)),
        attempt(lambda: a.view(-1, -1)),
        attempt(lambda: a.view(-1, 4)),
        attempt(lambda: a.reshape(5)),
        attempt(lambda: a.t().view(6)),
        attempt(lambda: a.expand(4, 3)),
        attempt(lambda: a.expand(3)),
        attempt(lambda: a.permute(0)),
        attempt(lambda: a.permute(0, 0)),
        attempt(lambda: torch.ones(-1)),
        attempt(lambda: torch.cat([a, torch.ones(2, 2)], 0)),
        attempt(lambda: torch.stack([a, torch.ones(2, 2)])),
        attempt(lambda: a.split([1, 2])),
    )


@story
def dims_out_of_range(torch):
    a = torch.ones(2, 3)
    return (
        attempt(lambda: a.sum(2)),
        attempt(lambda: a.sum(-3)),
        attempt(lambda: a.sum((0, 0))),
        attempt(lambda: a.transpose(0, 2)),
        attempt(lambda: a.size(5)),
        attempt(lambda: a.unsqueeze(4)),
        attempt(lambda: a.squeeze(2)),
        attempt(lambda: torch.softmax(a, 2)),
        attempt(lambda: a.stride(2)),
        attempt(lambda: torch.cat([a, a], 2)),
        attempt(lambda: a.unbind(2)),
        attempt(lambda: a.argmax(3)),
        attempt(lambda: torch.ones(()).sum(1)),
        attempt(lambda: torch.ones(()).size(0)),
    )


@story
def indices_out_of_range(torch):
    a = torch.ones(2, 3)
    return (
        attempt(lambda: a[2]),
        attempt(lambda: a[-3]),
        attempt(lambda: a[0, 3]),
        attempt(lambda: a[0, 0, 0]),
        attempt(lambda: torch.ones(())[0]),
        attempt(lambda: a[1.5]),
        attempt(lambda: a[::-1]),
        attempt(lambda: a[torch.tensor([True, False, True])]),
        attempt(lambda: a[torch.tensor([0.5])]),
        attempt(lambda: a.__setitem__(5, 1.0)),
        attempt(lambda: a.__setitem__(0, torch.ones(2))),
        attempt(lambda: a.index_select(0, torch.tensor([5]))),
        a,
    )


@story
def dtypes_that_are_refused(torch):
    whole, flags, real = torch.tensor([1, 2]), torch.tensor([True, False]), torch.ones(2)
    return (
        attempt(lambda: whole.add_(1.5)),
        attempt(lambda: whole.mul_(real)),
        attempt(lambda: flags.add_(1)),
        attempt(lambda: flags - flags),
        attempt(lambda: -flags),
        attempt(lambda: real & real),
        attempt(lambda: ~real),
        attempt(lambda: whole.div_(2)),
        attempt(lambda: whole.exp_()),
        attempt(lambda: whole.mean()),
        attempt(lambda: real.add_(torch.ones(2, dtype=torch.complex64))),
        whole,
        flags,
        real,
        whole._version,
    )


@story
def things_that_are_no_tensors(torch):
    a = torch.ones(2)
    return (
        attempt(lambda: a + "x"),
        attempt(lambda: a + None),
        attempt(lambda: a * [1, 2]),
        attempt(lambda: a @ 2),
        attempt(lambda: a < "x"),
        attempt(lambda: a == "x"),
        attempt(lambda: a != None),  # noqa: E711 - this is what is tested
        attempt(lambda: a in a),
    )


@story
def data_that_makes_no_tensor(torch):
    return (
        attempt(lambda: torch.tensor([[1, 2], [3]])),
        attempt(lambda: torch.tensor([1, None])),
        attempt(lambda: torch.tensor(["a"])),
        attempt(lambda: torch.tensor("a")),
        attempt(lambda: torch.tensor({})),
        attempt(lambda: torch.tensor([1, [2]])),
        attempt(lambda: torch.tensor([[1], 2])),
        attempt(lambda: torch.tensor(None)),
        attempt(lambda: torch.from_numpy([1])),
        attempt(lambda: torch.from_numpy(numpy.array(["a"]))),
        attempt(lambda: torch.tensor([1.0, [2]])),
        attempt(lambda: torch.tensor([1, "a"])),
        attempt(lambda: torch.tensor(300, dtype=torch.uint8)),
        attempt(lambda: torch.tensor(float("inf"), dtype=torch.int64)),
        attempt(lambda: torch.tensor(2**70)),
        attempt(lambda: torch.tensor(1 + 2j, dtype=torch.float32)),
    )


@story
def numbers_out_of_tensors(torch):
    a = torch.ones(2)
    return (
        attempt(a.item),
        attempt(lambda: float(a)),
        attempt(lambda: int(a)),
        attempt(lambda: bool(a)),
        attempt(lambda: bool(torch.ones(0))),
        attempt(lambda: [1, 2][torch.tensor(1.0)]),
        attempt(lambda: [1, 2][torch.tensor(1)]),
        attempt(lambda: len(torch.tensor(1.0))),
        attempt(lambda: list(torch.tensor(1.0))),
        attempt(lambda: torch.ones(2, requires_grad=True).numpy()),
        attempt(lambda: (torch.ones(2, requires_grad=True) * 2).tolist()),
        attempt(lambda: float(torch.tensor([2.5], requires_grad=True))),
        attempt(lambda: range(torch.tensor(3))[-1]),
    )


@story
def overlapping_writes(torch):
    base = torch.ones(1, 3)
    wide = base.expand(2, 3)
    return (
        attempt(lambda: wide.add_(1)),
        attempt(lambda: wide.mul_(torch.ones(2, 3))),
        attempt(lambda: wide.zero_()),
        attempt(lambda: wide.copy_(torch.ones(2, 3))),
        attempt(lambda: torch.ones(1).expand(4).exp_()),
        base,
        wide,
        base._version,
    )


@story
def ranges_that_never_end(torch):
    return (
        attempt(lambda: torch.arange(0, 5, 0)),
        attempt(lambda: torch.arange(0, 5, -1)),
        attempt(lambda: torch.arange(0, float("inf"))),
        attempt(lambda: torch.linspace(0, 1, -1)),
        attempt(lambda: torch.eye(-1)),
    )


@story
def reductions_of_nothing(torch):
    nothing = torch.ones(0)
    return (
        attempt(nothing.max),
        attempt(nothing.argmax),
        attempt(lambda: torch.ones(0, 3).max(0)),
        attempt(lambda: torch.ones(2, 0).amax(1)),
        nothing.sum(),
        nothing.prod(),
        attempt(nothing.mean),
    )


@story
def devices_that_are_none(torch):
    return (attempt(lambda: torch.device("cpu:x")),)


@story
def wrong_arguments(torch):
    a = torch.ones(2)
    return (
        attempt(lambda: a.fill_(torch.ones(2))),
        attempt(lambda: a.type("torch.NoTensor")),
        attempt(lambda: torch.ones(2).expand(-1, -1, -1)),
        attempt(lambda: a.unsqueeze(-3)),
        attempt(lambda: torch.cat([])),
        attempt(lambda: torch.stack([])),
    )


@story
def failures_leave_everything_as_it_was(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    grown = torch.ones(2, 3)
    said = (
        attempt(lambda: y.mul_(torch.ones(5))),
        attempt(lambda: grown[0].add_(torch.ones(4))),
        attempt(lambda: grown.__setitem__((slice(None), 0), torch.ones(5))),
        attempt(lambda: y.view(7)),
    )
    y.sum().backward()
    return said, y, y._version, grown, grown._version, x.grad


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)


def test_tensors_of_two_backends_are_refused_naming_both_and_stay_as_they_were():
    pytest.importorskip("jax")
    torch = dispatchtorch
    a = torch.tensor([1.0, 2.0], backend="numpy")
    b = torch.tensor([1.0, 2.0], backend="jax")
    for act in (
        lambda: a + b,
        lambda: b * a,
        lambda: a.add_(b),
        lambda: b.mul_(a),
        lambda: torch.mm(a.view(1, 2), b.view(2, 1)),
    ):
        with pytest.raises(RuntimeError, match=r"same backend, but found at least two, (numpy|jax) .*(numpy|jax)"):
            act()
    assert a.tolist() == b.tolist() == [1.0, 2.0]
    assert a._version == b._version == 0
    assert a.copy_(b + 1).tolist() == [2.0, 3.0]
    assert (a + b.to(backend="numpy")).backend == "numpy"
