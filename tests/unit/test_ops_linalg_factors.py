"""Factorisations beyond their samples: LAPACK's pivots and info, torch's sentences, gradients that are refused."""

from __future__ import annotations

import re
import warnings

import pytest

import dispatchtorch as torch
from dispatchtorch import linalg

F64 = torch.float64


def near(a, b, tolerance=1e-9):
    return (a - b).abs().max().item() < tolerance


def test_pivots_count_from_one_and_unpack():
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64)
    packed, pivots = linalg.lu_factor(a)
    assert pivots.dtype is torch.int32
    assert pivots.tolist() == [2, 2]
    assert near(packed, torch.tensor([[3.0, 4.0], [1 / 3, 2 / 3]], dtype=F64))
    p, low, up = torch.lu_unpack(packed, pivots)
    assert p.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert near(p @ low @ up, a)
    assert near(a @ linalg.lu_solve(packed, pivots, torch.eye(2, dtype=F64)), torch.eye(2, dtype=F64))
    with pytest.raises(RuntimeError, match=re.escape("pivots passed to lu_unpack must be between 1 and LU.size(-2)")):
        torch.lu_unpack(packed, torch.tensor([1, 5], dtype=torch.int32))


def test_what_is_singular_is_said():
    with torch.use_backend("numpy"):
        regular, singular = torch.tensor([[4.0, 1.0], [1.0, 3.0]]), torch.ones(2, 2)
        both = torch.stack([regular, singular])
        assert linalg.inv_ex(both).info.tolist() == [0, 2]
        assert linalg.lu_factor_ex(both).info.tolist() == [0, 2]
        assert linalg.cholesky_ex(torch.stack([regular, -regular])).info.tolist() == [0, 1]
        with pytest.raises(
            linalg.LinAlgError, match=re.escape("linalg.inv: (Batch element 1): The diagonal element 2")
        ):
            linalg.inv(both)
        with pytest.raises(
            linalg.LinAlgError, match=re.escape("torch.linalg.solve: (Batch element 1): The solver failed")
        ):
            linalg.solve(both, regular)
        with pytest.raises(
            linalg.LinAlgError, match=re.escape("(the leading minor of order 2 is not positive-definite)")
        ):
            linalg.cholesky(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        with pytest.raises(
            RuntimeError, match=re.escape("torch.linalg.lu_factor: U[2,2] is zero and using it on lu_sol")
        ):
            linalg.lu_factor(singular)


def test_a_library_that_traces_says_it_too():
    with torch.use_backend("jax"):
        both = torch.stack([2 * torch.eye(2), torch.ones(2, 2)])
        with pytest.raises(
            linalg.LinAlgError, match=re.escape("linalg.inv: (Batch element 1): The diagonal element 2")
        ):
            linalg.inv(both)
        assert linalg.cholesky_ex(torch.stack([torch.eye(2), -torch.eye(2)])).info.tolist() == [0, 1]


def test_what_fails_for_a_value_that_is_not_finite():
    bad = torch.tensor([[float("nan"), 1.0], [1.0, 2.0]])
    with pytest.raises(linalg.LinAlgError, match="failed to converge because the input matrix contained non-finite"):
        linalg.svd(bad)
    with pytest.raises(RuntimeError, match="input tensor should not contain infs or NaNs"):
        linalg.eig(bad)


@pytest.mark.parametrize("hermitian", [False, True])
def test_symmetric_indefinite(hermitian):
    a = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]], dtype=F64)
    if hermitian:
        turn = torch.tensor([[0.0, -1.0, -2.0], [1.0, 0.0, -3.0], [2.0, 3.0, 0.0]], dtype=F64)
        a = torch.complex(a, turn)
    packed, pivots = linalg.ldl_factor(a, hermitian=hermitian)
    assert pivots.tolist() == [-3, -3, 3]
    b = torch.ones(3, 2, dtype=a.dtype)
    assert near(a @ linalg.ldl_solve(packed, pivots, b, hermitian=hermitian), b)
    assert linalg.ldl_factor_ex(torch.zeros(2, 2)).info.item() == 1


def test_reflectors_give_q_back():
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], dtype=F64)
    h, tau = torch.geqrf(a)
    q = linalg.householder_product(h, tau)
    assert near(q @ h[:2].triu(), a)
    assert near(torch.ormqr(h, tau, torch.eye(3, dtype=F64))[:, :2], q)
    assert near(torch.ormqr(h, tau, a, transpose=True)[:2], h[:2].triu())


def test_eigenvalues_of_a_rotation():
    values, vectors = linalg.eig(torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64))
    assert values.dtype is torch.complex128
    assert sorted(values.imag.tolist()) == [-1.0, 1.0]
    assert near(torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.complex128) @ vectors, vectors * values)


def test_values_alone_have_a_gradient_where_vectors_are_not_unique():
    a = torch.eye(2, dtype=F64, requires_grad=True)
    for function in (linalg.eigvalsh, linalg.svdvals):
        (g,) = torch.autograd.grad(function(a).sum(), a)
        assert near(g, torch.eye(2, dtype=F64))


def test_a_loss_that_depends_on_a_phase_is_refused():
    a = torch.tensor([[2.0, 1.0j], [-1.0j, 3.0]], dtype=torch.complex128, requires_grad=True)
    with pytest.raises(RuntimeError, match="linalg_eigh_backward: The eigenvectors in the complex case are specified"):
        (linalg.eigh(a).eigenvectors * torch.tensor([1.0 + 2.0j, 0.5j])).sum().abs().backward()
    with pytest.raises(RuntimeError, match=r"The derivative of linalg\.qr depends on Q, which is not computed"):
        linalg.qr(torch.eye(2, requires_grad=True), "r").R.sum().backward()
    with pytest.raises(RuntimeError, match="not differentiable when mode='complete' and nrows > ncols"):
        linalg.qr(torch.ones(3, 2, requires_grad=True), "complete").R.sum().backward()


def test_the_determinant_of_a_singular_matrix_has_a_gradient():
    a = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=F64, requires_grad=True)
    linalg.det(a).backward()
    assert near(a.grad, torch.tensor([[4.0, -2.0], [-2.0, 1.0]], dtype=F64))


def test_least_squares():
    a = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=F64)
    found = linalg.lstsq(a, torch.tensor([[1.0], [2.0], [4.0]], dtype=F64), driver="gelsd")
    assert near(found.solution, torch.tensor([[5 / 6], [1.5]], dtype=F64))
    assert near(found.residuals, torch.tensor([1 / 6], dtype=F64))
    assert found.rank.item() == 2
    assert found.singular_values.shape == (2,)
    assert linalg.lstsq(a, a, driver="gels").rank.shape == (0,)


def test_deprecated_names_warn_once():
    from dispatchtorch._base import notices

    notices._said.clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            torch.qr(torch.eye(2))
            torch.cholesky(torch.eye(2))
            torch.eye(2).lu()
    assert [str(w.message).split(" is deprecated")[0] for w in said] == ["torch.qr", "torch.cholesky", "torch.lu"]


def test_out_keeps_the_names():
    given = torch.empty(0), torch.empty(0), torch.empty(0)
    found = linalg.svd(torch.eye(2), out=given)
    assert found.S is given[1]
    assert given[1].tolist() == [1.0, 1.0]


def test_low_rank():
    a = torch.diag(torch.tensor([3.0, 2.0, 0.0, 0.0], dtype=F64))
    torch.manual_seed(0)
    u, s, v = torch.svd_lowrank(a, q=2)
    assert near(s, torch.tensor([3.0, 2.0], dtype=F64))
    assert near((u * s) @ v.mT, a)
    with pytest.raises(
        ValueError, match=re.escape("q(=7) must be non-negative integer and not greater than min(m, n)=4")
    ):
        torch.pca_lowrank(a, q=7)


def test_extreme_eigenpairs():
    a = torch.diag(torch.arange(6.0, dtype=F64))
    values, vectors = torch.lobpcg(a, k=2)
    assert near(values, torch.tensor([5.0, 4.0], dtype=F64))
    assert near(a @ vectors, vectors * values)
    assert near(torch.lobpcg(a + 1, B=2 * torch.eye(6, dtype=F64), largest=False)[0], linalg.eigvalsh(a + 1)[:1] / 2)
    with pytest.raises(ValueError, match="LOBPCG algorithm is not applicable when the number of A rows"):
        torch.lobpcg(a, k=3)


def test_powers_and_exponentials():
    a = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=F64)
    assert near(linalg.matrix_exp(a * torch.pi), -torch.eye(2, dtype=F64))
    assert near(linalg.matrix_power(a, -3), a)
    assert near(linalg.matrix_exp(a * 40)[0, 0], torch.tensor(40.0, dtype=F64).cos())
