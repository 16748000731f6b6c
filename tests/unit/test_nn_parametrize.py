"""Parametrised tensors, torch's own parametrisations, the older hooks for norms, and fusing with batch norm."""

import copy
import pickle

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.triu() + x.triu(1).mT


class Halves(nn.Module):
    def forward(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        return torch.cat([low, high])

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(x.chunk(2))


def rounded(t: torch.Tensor) -> list[float]:
    return [round(v, 4) for v in t.detach().reshape(-1).tolist()]


def test_a_parametrised_tensor_is_computed_whenever_it_is_read() -> None:
    layer = nn.Linear(2, 2)
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert layer.parametrizations.weight.original is original
    assert bool((layer.weight == layer.weight.mT).all())
    layer(torch.ones(1, 2)).sum().backward()
    assert original.grad is not None
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight
    with pytest.raises(RuntimeError, match="parametrization Symmetric does not implement right_inverse"):
        layer.weight = torch.ones(2, 2)
    with pytest.raises(RuntimeError, match=r"only supported through state_dict\(\)"):
        pickle.dumps(layer)
    again = copy.deepcopy(layer)
    assert again.parametrizations.weight.original is not original
    assert bool((again.weight == layer.weight).all())
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert layer.weight is original


def test_a_right_inverse_may_give_several_tensors() -> None:
    layer = nn.Linear(1, 4)
    parametrize.register_parametrization(layer, "weight", Halves())
    assert [n for n, _ in layer.named_parameters()] == [
        "bias", "parametrizations.weight.original0", "parametrizations.weight.original1",
    ]  # fmt: skip
    layer.weight = torch.arange(4.0).reshape(4, 1)
    assert rounded(layer.parametrizations.weight.original1) == [2.0, 3.0]
    with pytest.raises(ValueError, match="Cannot leave unparametrized"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    other = parametrize.transfer_parametrizations_and_params(layer, nn.Linear(1, 4))
    assert rounded(other.weight) == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x.double(), "may not change the dtype of the tensor, unless `unsafe` flag is enabled"),
        (lambda x: x[:1], "may not change the shape of the tensor, unless `unsafe` flag is enabled"),
        (lambda x: [x], r"A parametrization must return a tensor\. Got list\."),
    ],
)
def test_a_parametrisation_keeps_the_kind_of_its_tensor(change: object, sentence: str) -> None:
    class Changed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return change(x)  # type: ignore[operator,no-any-return]  # a function

    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=sentence):
        parametrize.register_parametrization(layer, "weight", Changed())
    assert not parametrize.is_parametrized(layer)
    with pytest.raises(ValueError, match="does not have a parameter, a buffer, or a parametrized element"):
        parametrize.register_parametrization(layer, "none", Symmetric())


@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_orthogonal_matrices_stay_so(how: str, shape: tuple[int, int]) -> None:
    layer = parametrizations.orthogonal(nn.Linear(*shape), orthogonal_map=how)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn(layer.weight.shape) / 4)
    if how == "householder":
        with torch.no_grad():
            layer.parametrizations.weight.original.diagonal().fill_(-1.0)
    tall = layer.weight if layer.weight.size(0) >= layer.weight.size(1) else layer.weight.mT
    torch.testing.assert_close(tall.mT @ tall, torch.eye(min(shape)), atol=1e-5, rtol=1e-5)


def test_parametrisations_begin_where_torchs_do() -> None:
    torch.manual_seed(0)
    assert rounded(parametrizations.orthogonal(nn.Linear(2, 3)).weight) == [
        -0.0082, 0.6981, -0.9057, -0.3087, -0.4238, 0.646,
    ]  # fmt: skip
    torch.manual_seed(0)
    assert rounded(parametrizations.spectral_norm(nn.Linear(2, 3)).weight) == [
        -0.0064, 0.4594, -0.7049, -0.6303, -0.3299, 0.2297,
    ]  # fmt: skip
    torch.manual_seed(0)
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    assert rounded(layer.parametrizations.weight.original0) == [0.3794, 0.7807]
    assert rounded(layer.weight) == [-0.0053, 0.3793, -0.582, -0.5204]


def test_the_older_spectral_norm_follows_in_training_only() -> None:
    torch.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Linear(2, 3))
    assert rounded(layer(torch.ones(1, 2))) == [0.8631, -2.0243, -0.2567]
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
    assert layer.state_dict()._metadata[""]["spectral_norm"] == {"weight.version": 1}
    u = layer.weight_u.clone()
    layer.eval()(torch.ones(1, 2))
    assert bool((layer.weight_u == u).all())
    nn.utils.remove_spectral_norm(layer)
    assert list(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="spectral_norm of 'weight' not found in Linear"):
        nn.utils.remove_spectral_norm(layer)


def test_states_of_the_older_weight_norm_load_into_the_newer() -> None:
    with pytest.warns(FutureWarning, match=r"deprecated in favor of `torch\.nn\.utils\.parametrizations\.weight_norm`"):
        old = nn.utils.weight_norm(nn.Linear(2, 2))
    new = parametrizations.weight_norm(nn.Linear(2, 2))
    assert list(old.state_dict()) == ["bias", "weight_g", "weight_v"]
    new.load_state_dict(old.state_dict())
    assert bool((new.weight == old.weight).all())
    value = rounded(old.weight)
    assert rounded(nn.utils.remove_weight_norm(old).weight) == value


def test_a_layer_and_its_batch_norm_become_one() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3)
    norm(torch.randn(4, 3, 2, 2))
    x = torch.randn(1, 2, 3, 3)
    with pytest.raises(AssertionError, match="Fusion only for eval!"):
        nn.utils.fuse_conv_bn_eval(conv, norm)
    conv.eval(), norm.eval()
    torch.testing.assert_close(nn.utils.fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)))


def test_skipping_initialisation_draws_no_number() -> None:
    torch.manual_seed(0)
    assert nn.utils.skip_init(nn.Linear, 3, 2).weight.shape == (2, 3)
    assert rounded(torch.rand(2)) == [0.4963, 0.7682]
    with pytest.raises(RuntimeError, match="Module must support a 'device' arg to skip initialization"):
        nn.utils.skip_init(nn.ReLU)
