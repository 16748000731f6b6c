"""The graph room, told as stories: hooks on what is saved, edges, the names of nodes, hooks on several gradients."""

import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


@story
def what_is_saved_goes_through_hooks(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def pack(t):
        seen.append(("pack", t.tolist(), t.requires_grad))
        return t * 1

    def unpack(t):
        seen.append(("unpack", t.tolist()))
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = (x * x).exp().sum()
    y.backward()
    return seen, x.grad


@story
def hooks_can_be_wrong(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    graph = torch.autograd.graph

    def writes():
        with graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
            return x * x

    def loses():
        with graph.saved_tensors_hooks(lambda t: 1, lambda t: t):
            y = x * x
        y.sum().backward()

    def refused():
        with graph.disable_saved_tensors_hooks("not now"), graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            return x * x

    return attempt(writes), attempt(loses), attempt(refused)


@story
def hooks_keep_second_derivatives(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.autograd.graph.save_on_cpu():
        y = ((x * 0.3) ** 3).tanh().sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    g.sum().backward()
    return g, x.grad


@story
def what_is_saved_may_be_written_if_one_says_so(torch):
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        x = torch.ones(2, requires_grad=True)
        y = x.clone()
        z = (y**2).sum()
        y.sin_()
        z.backward()
    return x.grad


@story
def edges_in_place_of_tensors(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    edge = torch.autograd.graph.get_gradient_edge(y)
    first = torch.autograd.grad((y * y).sum(), edge, retain_graph=True)
    by_name = torch.autograd.grad(y.sum(), {"x": x}, retain_graph=True)
    torch.autograd.backward(edge, torch.ones(2))
    wrong = attempt(lambda: torch.autograd.graph.get_gradient_edge(torch.ones(2)))
    return edge.node.name(), edge.output_nr, first, by_name, x.grad, wrong


@story
def a_hook_on_several_gradients(torch):
    a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
    c, d = a * b, a * b
    seen = []
    register = torch.autograd.graph.register_multi_grad_hook
    register((a, b, c, d), lambda gs: seen.append([g is not None for g in gs]))
    handle = register((a, c), lambda g: seen.append(g.tolist()), mode="any")
    c.sum().backward(retain_graph=True)
    c.sum().backward(inputs=(a,), retain_graph=True)
    handle.remove()
    (c.sum() + d.sum()).backward()
    return seen, attempt(lambda: register((a,), print, mode="some"))


@story
def nodes_have_classes_and_show_what_they_saved(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).exp()
    node = y.grad_fn
    before = node.next_functions[0][0]
    leaf = before.next_functions[0][0]
    return (
        type(node).__name__, type(before).__name__, type(leaf).__name__, node._saved_result.detach(),
        before._saved_self.detach(), (x**2).grad_fn._saved_exponent, leaf.variable is x, node.metadata,
        isinstance(node, torch.autograd.graph.Node), leaf is before.next_functions[1][0],
        attempt(lambda: node.nothing_of_the_kind),
    )  # fmt: skip


@story
def hooks_on_one_saved_tensor(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    seen = []
    y.grad_fn._raw_saved_self.register_hooks(lambda t: seen.append("pack") or t, lambda t: seen.append("unpack") or t)
    y.sum().backward()
    return seen, x.grad


@story
def a_variable_is_a_tensor(torch):
    Variable = torch.autograd.Variable
    return (
        Variable(torch.ones(2), requires_grad=True).requires_grad,
        isinstance(torch.ones(1), Variable),
        attempt(lambda: Variable(3)),
        attempt(lambda: Variable(torch.ones(2), volatile=True)),
        attempt(lambda: torch.autograd.variable(1)),
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
