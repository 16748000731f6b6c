"""Distributions: torch's recorded answers, shapes, checks, gradients through samples."""

import json
import math
import pathlib

import numpy as np
import pytest

import dispatchtorch as torch

D = torch.distributions
GOLDENS = json.loads((pathlib.Path(__file__).parents[1] / "goldens" / "distributions.json").read_text())


@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize("text", GOLDENS)
def test_answers_are_torchs(text):
    torch.manual_seed(3)
    made = eval(text, {"torch": torch, "D": D})
    torch.manual_seed(11)
    x = made.sample()
    for question, wanted in GOLDENS[text].items():
        torch.manual_seed(11)
        value = eval(f"d.{question}", {"d": made, "x": x}).detach().reshape(-1).tolist()[:6]
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5, err_msg=question)


def test_bad_parameters_are_shown():
    with pytest.raises(
        ValueError, match=r"Expected parameter scale \(Tensor of shape \(\)\) of distribution Normal"
    ) as e:
        D.Normal(0.0, -1.0)
    assert str(e.value).endswith("constraint GreaterThan(lower_bound=0.0), but found invalid values:\n-1.0")
    assert D.Normal(0.0, -1.0, validate_args=False).mean == 0


def test_values_outside_of_the_support_are_refused():
    with pytest.raises(ValueError, match=r"to be within the support \(Interval\(lower_bound=0.0, upper_bound=1.0\)\)"):
        D.Uniform(0.0, 1.0).log_prob(torch.tensor(2.0))
    with pytest.raises(ValueError, match="must be a Tensor"):
        D.Normal(0.0, 1.0).log_prob(1.0)


def test_the_default_of_checking_can_be_switched():
    D.Distribution.set_default_validate_args(False)
    try:
        assert D.Normal(0.0, -1.0).scale == -1
    finally:
        D.Distribution.set_default_validate_args(True)


def test_gamma_samples_move_with_their_parameter():
    a = torch.tensor([0.5, 2.0, 30.0], requires_grad=True)
    torch.manual_seed(0)
    torch.distributions.Gamma(a, 1.0).rsample().sum().backward()
    np.testing.assert_allclose(a.grad.tolist(), [0.0113, 0.5744, 1.0147], atol=1e-4)


@pytest.mark.parametrize(("alpha", "x"), [(0.3, 0.02), (1.7, 4.0), (40.0, 35.0), (900.0, 940.0)])
def test_gamma_derivative_holds_the_cumulative_probability(alpha, x):
    a, y = torch.tensor(alpha, dtype=torch.float64), torch.tensor(x, dtype=torch.float64)
    step = 1e-4 * alpha
    change = (torch.igamma(a + step, y) - torch.igamma(a - step, y)) / (2 * step)
    density = torch.exp((a - 1) * torch.log(y) - y - torch.lgamma(a))
    assert torch._standard_gamma_grad(a, y).item() == pytest.approx((-change / density).item(), rel=1e-5)


def test_shares_move_so_that_their_sum_stays():
    a = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    D.Dirichlet(a).rsample((5,)).sum().backward()
    np.testing.assert_allclose(a.grad.tolist(), [0, 0, 0], atol=1e-9)


def test_expansion_shares_parameters():
    d = D.Normal(torch.zeros(3, requires_grad=True), 1.0).expand((4, 3))
    assert (d.batch_shape, d.sample((2,)).shape) == ((4, 3), (2, 4, 3))

    class Odd(D.Normal):
        def __init__(self):
            super().__init__(0.0, 1.0)

    with pytest.raises(NotImplementedError, match="Subclass Odd of Normal that defines a custom __init__ method"):
        Odd().expand((2,))


def test_straight_through_gradients_reach_probabilities():
    logits = torch.zeros(3, requires_grad=True)
    sample = D.OneHotCategoricalStraightThrough(logits=logits).rsample()
    (sample * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    np.testing.assert_allclose(logits.grad.tolist(), [-1 / 3, 0, 1 / 3], atol=1e-6)


def test_a_policy_learns_by_reinforce():
    torch.manual_seed(0)
    logits = torch.zeros(2, requires_grad=True)
    for _ in range(60):
        policy = D.Categorical(logits=logits)
        action = policy.sample((8,))
        loss = -(policy.log_prob(action) * (action == 1)).mean()
        (slope,) = torch.autograd.grad(loss, [logits])
        with torch.no_grad():
            logits -= slope
    assert D.Categorical(logits=logits).probs[1] > 0.9


def test_divergences_find_the_nearest_pair():
    normal = D.Normal(torch.zeros(3), 1.0)
    assert D.kl_divergence(D.Independent(normal, 1), D.Independent(D.Normal(torch.ones(3), 1.0), 1)).item() == 1.5
    assert D.kl_divergence(D.Chi2(3.0), D.Gamma(1.5, 0.5)).item() == pytest.approx(0, abs=1e-5)
    assert D.kl_divergence(D.Normal(0.0, 1.0), D.Beta(1.0, 1.0)).item() == math.inf
    words = r"No KL\(p \|\| q\) is implemented for p type Normal and q type Cauchy"
    with pytest.raises(NotImplementedError, match=words):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Cauchy(0.0, 1.0))


def test_divergences_can_be_entered():
    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, D.Normal)
    def mine(p, q):
        return torch.tensor(7.0)

    assert D.kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)) == 7
    assert D.kl_divergence(D.Normal(0.0, 1.0), Mine(0.0, 1.0)) == 0
