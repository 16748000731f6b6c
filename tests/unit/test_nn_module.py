"""Module: attribute rules, hooks and their order, states and what does not fit them."""

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn.modules.module import register_module_forward_hook


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("a.b", KeyError, 'parameter name can\'t contain "."'),
        ("", KeyError, 'parameter name can\'t be empty string ""'),
        ("forward", KeyError, "attribute 'forward' already exists"),
        (1, TypeError, "parameter name should be a string. Got int"),
    ],
)
def test_a_parameter_needs_a_proper_name(name: object, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        nn.Module().register_parameter(name, None)  # type: ignore[arg-type]  # that is the point
    assert caught.value.args == (sentence,)


def test_a_parameters_place_takes_only_parameters() -> None:
    module = nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"cannot assign 'torch\.FloatTensor' as parameter 'weight' \(torch\.nn"):
        module.weight = torch.ones(1, 1)
    module.weight = None
    assert [name for name, _ in module.named_parameters()] == ["bias"]


def test_attributes_before_init_are_refused() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(torch.ones(1))

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module.__init__\(\) call"):
        Late()


def test_shared_modules_are_named_once() -> None:
    model = net()
    model.add_module("again", model[0])
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert "again.weight" in model.state_dict()
    assert len(list(model.named_parameters(remove_duplicate=False))) == 6


def test_everything_that_does_not_fit_is_listed() -> None:
    model = net()
    state = model.state_dict()
    state["0.weight"] = torch.ones(5)
    del state["2.bias"]
    state["more"] = torch.ones(1)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "2.bias". \n'
        '\tUnexpected key(s) in state_dict: "more". \n'
        "\tsize mismatch for 0.weight: copying a param with shape torch.Size([5]) from checkpoint, the shape in "
        "current model is torch.Size([3, 2])."
    )


def test_loading_says_what_it_left_out() -> None:
    model = net()
    assert repr(model.load_state_dict(net().state_dict())) == "<All keys matched successfully>"
    found = model.load_state_dict({"more": torch.ones(1)}, strict=False)
    assert found.unexpected_keys == ["more"]
    assert len(found.missing_keys) == 4


def test_hooks_run_in_order() -> None:
    seen: list[str] = []
    model = nn.Identity()
    model.register_forward_pre_hook(lambda m, a: seen.append("second"))
    model.register_forward_pre_hook(lambda m, a: seen.append("first"), prepend=True)
    model.register_forward_hook(lambda m, a, out: seen.append("own"))
    handle = register_module_forward_hook(lambda m, a, out: seen.append("global"))
    try:
        model(torch.ones(1))
    finally:
        handle.remove()
    assert seen == ["first", "second", "global", "own"]
    seen.clear()
    model(torch.ones(1))
    assert seen == ["first", "second", "own"]


def test_a_forward_hook_may_replace_the_output() -> None:
    model = nn.Identity()
    with model.register_forward_hook(lambda m, a, out: out * 2):
        assert model(torch.ones(1)).item() == 2
    assert model(torch.ones(1)).item() == 1


def test_a_backward_hook_sees_and_replaces_gradients() -> None:
    model = nn.Tanh()
    seen = []
    model.register_full_backward_pre_hook(lambda m, g: (g[0] * 3,))
    model.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
    model.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    x = torch.zeros(2, requires_grad=True)
    model(x).sum().backward()
    assert seen == [([3.0, 3.0], [3.0, 3.0])]
    assert x.grad.tolist() == [6.0, 6.0]


def test_modes_and_gradients_reach_the_whole_tree() -> None:
    model = net().eval()
    assert not model[2].training
    model.train()
    model(torch.ones(1, 2)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert model[2].bias.grad.tolist() == [0.0]
    model.zero_grad()
    assert model[2].bias.grad is None


def test_containers_print_and_slice_as_torchs() -> None:
    model = net()
    assert repr(model[1:]) == ("Sequential(\n  (1): ReLU()\n  (2): Linear(in_features=3, out_features=1, bias=True)\n)")
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU()])) == "ModuleList(\n  (0-1): 2 x ReLU()\n)"
    with pytest.raises(IndexError, match="index 7 is out of range"):
        model[7]
