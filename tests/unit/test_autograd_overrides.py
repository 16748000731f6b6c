"""``__torch_function__``, told as stories: subclasses, strangers and modes."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def _class_name(value):
    return type(value).__name__


@story
def a_subclass_stays_itself(torch):
    class Mine(torch.Tensor):
        pass

    x = torch.arange(4.0).reshape(2, 2).as_subclass(Mine)
    found = [
        x, x + 1, 1 + x, torch.ones(2, 2) + x, torch.softmax(x, 0), torch.nn.functional.relu(x), x[0], x.max(0)[0],
        x.split(1)[0], x @ x, x.clone(), x.detach(), torch.stack([x, x]), x.new_ones(2), x.add_(1), x.shape,
        torch.mm(torch.ones(2, 2), x), torch.where(x > 1, x, x), next(iter(x)),
    ]  # fmt: skip
    return [_class_name(v) for v in found], repr(x), repr(Mine([1.0, 2.0]))


@story
def a_subclass_sees_its_calls(torch):
    seen = []

    class Seeing(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append((func.__name__, [t.__name__ for t in types], len(args), sorted(kwargs or {})))
            return super().__torch_function__(func, types, args, kwargs)

    x = torch.ones(2).as_subclass(Seeing)
    x + 1
    2 * x
    torch.add(x, 1, alpha=2)
    torch.sum(x)
    x.sum(dim=0)
    torch.cat([x, x])
    torch.ones(2).add(x)
    torch.nn.functional.linear(torch.ones(1, 2), x)
    x.dim()
    with torch._C.DisableTorchFunctionSubclass():
        x + 1
    return seen


@story
def a_subclass_carries_more(torch):
    class Counted(torch.Tensor):
        @staticmethod
        def __new__(cls, data, count):
            return torch.Tensor._make_subclass(cls, data)

        def __init__(self, data, count):
            self.count = count

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            out = super().__torch_function__(func, types, args, kwargs)
            if isinstance(out, cls):
                out.count = sum(a.count for a in args if isinstance(a, cls)) + 1
            return out

    x = Counted(torch.ones(2), 5)
    w = torch.ones(2, requires_grad=True)
    y = x * w
    y.sum().backward()
    return (x + 1).count, (x + x).count, (x * 2 - 1).sum().count, w.grad


@story
def a_stranger_answers(torch):
    class Stranger:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return [func.__name__, len(args), kwargs or {}]

    class Silent:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    s = Stranger()
    first = torch.add(s, 1)
    return (
        first, torch.exp(s), torch.ones(2) + s, torch.mean(s), torch.cat([torch.ones(1), s]), torch.sum(s, dim=0),
        torch.nn.functional.linear(s, s), attempt(lambda: torch.add(Silent(), 1).__name__)[:60],
        attempt(lambda: torch.nn.functional.relu(Silent()))[:60],
    )  # fmt: skip


@story
def a_mode_sees_calls(torch):
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x = torch.ones(2)
    with Mode():
        torch.add(x, 1).sum()
        y = torch.nn.functional.relu(x + 1)
        y[0]
    x + 1
    return seen


@story
def words_about_overriding(torch):
    overrides = torch.overrides

    class Stranger:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "answered"

    @overrides.wrap_torch_function(lambda a: (a,))
    def mine(a):
        return "plain"

    s, x = Stranger(), torch.ones(1)
    return (
        mine(s), mine(x), overrides.has_torch_function((x,)), overrides.has_torch_function((x, s)),
        overrides.is_tensor_like(s), overrides.is_tensor_like(x), overrides.is_tensor_like(3),
        overrides.is_tensor_method_or_property(torch.Tensor.add), overrides.resolve_name(torch.nn.functional.relu),
        overrides.handle_torch_function(mine, (s,), s),
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
