"""autograd.Function, told as stories: both ways to write one, what ctx keeps, in-place inputs, double backward."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def square_of(torch):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    return Square


@story
def a_function(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = square_of(torch).apply(x)
    (y * 3).sum().backward()
    return y, x.grad, y.grad_fn.name(), type(y.grad_fn).__name__, y.requires_grad


@story
def a_function_with_setup_context(torch):
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]
            ctx.needs = None

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Scale.apply(x, 4.0)
    y.sum().backward()
    return y, x.grad


@story
def double_backward_goes_through(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (g,) = torch.autograd.grad((square_of(torch).apply(x) * x).sum(), x, create_graph=True)
    return g, torch.autograd.grad(g.sum(), x)


@story
def a_saved_output_and_double_backward(torch):
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    x = torch.tensor([0.5, 1.0], requires_grad=True)
    y = Exp.apply(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    return g, gg, torch.autograd.grad(gg.sum(), x)


@story
def backward_twice_is_refused(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = square_of(torch).apply(x).sum()
    y.backward()
    return attempt(y.backward)


@story
def a_saved_input_that_was_written(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = x * 1
    y = square_of(torch).apply(a)
    a.add_(1)
    return attempt(y.sum().backward)


@story
def several_outputs_and_missing_gradients(torch):
    seen = []

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a.tolist(), b.tolist()))
            return a * 2 + b * 3

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = Two.apply(x)
    b.sum().backward()
    return seen, x.grad, a.grad_fn is b.grad_fn, a.output_nr, b.output_nr


@story
def gradients_may_stay_none(torch):
    seen = []

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a is None, b is None))
            return b * 3

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Two.apply(x)[1].sum().backward()
    return seen, x.grad


@story
def outputs_without_gradient(torch):
    class Split(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            kept, rest = x * 2, x * 3
            ctx.mark_non_differentiable(rest)
            return kept, rest

        @staticmethod
        def backward(ctx, g, nothing):
            return g * 2 + nothing

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = Split.apply(x)
    a.sum().backward()
    return a.requires_grad, b.requires_grad, b.grad_fn, x.grad


@story
def an_input_that_is_written(torch):
    class AddOne(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = x * 2
    b = AddOne.apply(a)
    b.sum().backward()
    return b is a, a, x.grad, a._version, a.grad_fn.name(), attempt(lambda: AddOne.apply(x))


@story
def a_written_view(torch):
    class Triple(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(3)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = x * 1
    Triple.apply(a[0])
    a.sum().backward()
    return a, x.grad


@story
def an_input_returned_as_it_is(torch):
    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 9

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Same.apply(x)
    y.sum().backward()
    return y is x, x.grad, x.is_leaf, y.data_ptr() == x.data_ptr()


@story
def a_view_of_an_input(torch):
    class Row(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[0]

        @staticmethod
        def backward(ctx, g):
            return torch.stack([g, g * 0])

    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = Row.apply(x)
    y.sum().backward()
    return y, x.grad


@story
def needs_input_grad(torch):
    seen = []

    class Mul(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, z):
            seen.append(ctx.needs_input_grad)
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            _, y = ctx.saved_tensors
            seen.append(ctx.needs_input_grad)
            return g * y, None, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Mul.apply(x, torch.ones(2), 5).sum().backward()
    return seen, x.grad


@story
def wrong_numbers_of_gradients(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    class TooMany(Wrong):
        @staticmethod
        def backward(ctx, g):
            return g, g, g

    class Spare(Wrong):
        @staticmethod
        def backward(ctx, g):
            return g, g, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    return [attempt(lambda cls=cls: cls.apply(x, x).sum().backward()) for cls in (Wrong, TooMany, Spare)]


@story
def wrong_kinds_of_gradients(torch):
    class Number(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return 3.0

    class Shape(Number):
        @staticmethod
        def backward(ctx, g):
            return torch.ones(3)

    class Grown(Number):
        @staticmethod
        def backward(ctx, g):
            return torch.ones(4, 2)

    class Nothing(Number):
        @staticmethod
        def backward(ctx, g):
            return None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    said = [attempt(lambda cls=cls: cls.apply(x).sum().backward()) for cls in (Number, Shape, Grown, Nothing)]
    return said, x.grad


@story
def no_instances_and_no_backward(torch):
    class OnlyForward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    class OnlyBackward(torch.autograd.Function):
        @staticmethod
        def backward(ctx, g):
            return g

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    return (
        attempt(lambda: OnlyForward.apply(x).sum().backward()),
        attempt(lambda: OnlyBackward.apply(x)),
        OnlyForward.apply(torch.ones(1)).requires_grad,
    )


@story
def nothing_is_recorded_within_forward(torch):
    seen = []

    class Look(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(((x * 2).requires_grad, torch.is_grad_enabled(), x.requires_grad))
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append((torch.is_grad_enabled(), g.requires_grad))
            return g * 2

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Look.apply(x).sum().backward()
    torch.autograd.grad(Look.apply(x).sum(), x, create_graph=True)
    with torch.no_grad():
        out = Look.apply(x)
    return seen, out.requires_grad


@story
def once_differentiable(torch):
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x * 2

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Once.apply(x).sum().backward()
    first = x.grad
    y = Once.apply(x)
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    return first, g, g.requires_grad, attempt(g.sum().backward)


@story
def lists_and_other_things_pass_through(torch):
    class Many(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, things):
            ctx.things = things
            return x * 2, "text", 7

        @staticmethod
        def backward(ctx, g, *rest):
            return g * 2, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b, c = Many.apply(x, [1, 2])
    a.sum().backward()
    return a, b, c, x.grad


@story
def ctx_is_the_node(torch):
    kept = []

    class Keep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            kept.append(ctx)
            ctx.note = "mine"
            return x * 2

        @staticmethod
        def backward(ctx, g):
            kept.append(ctx)
            return g * 2

    x = torch.tensor([1.0], requires_grad=True)
    y = Keep.apply(x)
    y.backward()
    return kept[0] is kept[1], y.grad_fn is kept[0], y.grad_fn.note, len(y.grad_fn.next_functions)


@story
def outside_of_the_graph_a_function_just_runs(torch):
    y = square_of(torch).apply(torch.tensor([3.0]))
    return y, y.requires_grad, y.grad_fn


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
