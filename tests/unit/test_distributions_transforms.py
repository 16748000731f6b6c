"""Transforms and constraints: inverses, caches, registries, packed triangles."""

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.utils import lazy_property, tril_matrix_to_vec, vec_to_tril_matrix

D = torch.distributions
X = [-1.5, 0.2, 3.0]


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [
        (D.SigmoidTransform(), [0.18242552, 0.549834, 0.95257413]),
        (D.SoftplusTransform(), [0.20141327, 0.79813886, 3.0485873]),
        (D.StickBreakingTransform(), [0.06922778, 0.35290453, 0.5504618, 0.02740591]),
        (D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)]), [1.4462603, 3.4428055, 41.171074]),
    ],
)
def test_transforms_go_there_and_back(transform, wanted):
    x = torch.tensor(X)
    y = transform(x)
    np.testing.assert_allclose(y.tolist(), wanted, rtol=2e-5)
    np.testing.assert_allclose(transform.inv(y).tolist(), X, rtol=1e-4)
    assert transform.inv.inv is transform


def test_a_cache_gives_the_very_tensor_back():
    t = D.ExpTransform(cache_size=1)
    x = torch.tensor(X)
    assert t.inv(t(x)) is x
    with pytest.raises(ValueError, match="cache_size must be 0 or 1"):
        D.ExpTransform(cache_size=2)


def test_log_determinants_are_those_of_the_jacobian():
    x = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
    t = D.CorrCholeskyTransform()
    places = torch.tril_indices(3, 3, -1)
    jacobian = torch.autograd.functional.jacobian(lambda v: t(v)[places[0], places[1]], x)
    wanted = torch.linalg.slogdet(jacobian)[1].item()
    assert t.log_abs_det_jacobian(x, t(x)).item() == pytest.approx(wanted, rel=1e-9)


def test_registries_give_the_transform_for_a_constraint():
    x = torch.tensor(X)
    assert constraints.positive.check(D.biject_to(constraints.positive)(x)).all()
    assert constraints.simplex.check(D.transform_to(constraints.simplex)(x))
    assert isinstance(D.biject_to(constraints.unit_interval), D.SigmoidTransform)
    with pytest.raises(NotImplementedError, match="Cannot transform _Boolean constraints"):
        D.biject_to(constraints.boolean)


def test_constraints_name_their_bounds():
    assert repr(constraints.interval(0, 1)) == "Interval(lower_bound=0, upper_bound=1)"
    assert repr(constraints.real_vector) == "IndependentConstraint(Real(), 1)"
    assert constraints.real_vector.event_dim == 1


def test_triangles_are_packed_by_rows():
    vec = torch.tensor([1.0, 2.0, 3.0])
    assert vec_to_tril_matrix(vec).tolist() == [[1, 0], [2, 3]]
    assert tril_matrix_to_vec(vec_to_tril_matrix(vec)).tolist() == [1, 2, 3]


def test_lazy_properties_are_computed_once():
    class Thing:
        count = 0

        @lazy_property
        def value(self):
            self.count += 1
            return self.count

    thing = Thing()
    assert (thing.value, thing.value) == (1, 1)
    assert isinstance(Thing.value, property)
