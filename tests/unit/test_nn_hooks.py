"""Backward hooks of both kinds: what they see, what they may replace, and when torch warns."""

import warnings

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn.modules import module as machinery


def doubled() -> nn.Linear:
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    return layer


def backward(layer: nn.Module, requires_grad: bool = True) -> torch.Tensor:
    x = torch.ones(1, 2, requires_grad=requires_grad)
    layer(x).sum().backward()
    return x.grad


def test_a_full_hook_replaces_what_leaves() -> None:
    layer = doubled()
    handle = layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    assert backward(layer).tolist() == [[40.0, 60.0]]
    handle.remove()
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    assert backward(layer).tolist() == [[40.0, 60.0]]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((1, 2), "Backward hook returned an invalid number of grad_input, got 2, but expected 1"),
        ((torch.ones(3),), "hook 'hook' has changed the size of value"),
    ],
)
def test_what_a_full_hook_gives_is_checked(given: object, sentence: str) -> None:
    layer = doubled()
    layer.register_full_backward_hook(lambda m, gi, go: given)
    with pytest.raises(RuntimeError, match=sentence):
        backward(layer)


def test_a_full_hook_without_inputs_that_require_gradients_warns() -> None:
    layer, seen = doubled(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    with pytest.warns(UserWarning, match="Full backward hook is firing when gradients are computed with respect to"):
        backward(layer, requires_grad=False)
    assert seen == [((None,), [[1.0, 1.0]])]


def test_outputs_of_a_hooked_module_are_not_written_to() -> None:
    layer = doubled()
    layer.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.raises(RuntimeError, match="Output 0 of BackwardHookFunction is a view and is being modified inplace"):
        layer(torch.ones(1, 2)).add_(1)


def test_the_older_kind_is_called_by_the_last_node() -> None:
    layer, seen = nn.ReLU(), []
    layer.register_backward_hook(lambda m, gi, go: seen.append((type(m).__name__, len(gi), go[0].tolist())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backward(layer)
    assert seen == [("ReLU", 1, [[1.0, 1.0]])]
    with pytest.raises(
        RuntimeError, match="Cannot use both regular backward hooks and full backward hooks on a single"
    ):
        layer.register_full_backward_hook(lambda m, gi, go: None)
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net.register_backward_hook(lambda m, gi, go: None)
    with pytest.warns(FutureWarning, match="when the forward contains multiple autograd Nodes is deprecated"):
        backward(net)


def test_hooks_on_every_module() -> None:
    seen: list[str] = []
    handle = machinery.register_module_full_backward_hook(lambda m, gi, go: seen.append(type(m).__name__))
    try:
        backward(nn.Sequential(nn.ReLU(), nn.Tanh()))
        with pytest.raises(RuntimeError, match="as a global Module hook"):
            machinery.register_module_backward_hook(lambda m, gi, go: None)
    finally:
        handle.remove()
        machinery.GLOBAL.is_full = None
    assert seen == ["Tanh", "ReLU", "Sequential"]
    backward(nn.ReLU())
    assert len(seen) == 3


def test_a_module_that_was_not_initialised_says_what_it_lacks() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            self.value = 3

    assert Bare().value == 3
    with pytest.raises(AttributeError, match="'Bare' object has no attribute '_backward_hooks'"):
        Bare()(1)
