"""Products, einsum and factorisations: values, node names, gradients and sentences that are torch's."""

from __future__ import annotations

import re

import pytest

import dispatchtorch as torch
from dispatchtorch import linalg
from dispatchtorch.ops.matmul import _linear


def ones(*shape):
    return torch.ones(*shape, requires_grad=True)


@pytest.mark.parametrize(
    ("first", "second", "shape", "name"),
    [
        ((3,), (3,), (), "DotBackward0"),
        ((2, 3), (3,), (2,), "MvBackward0"),
        ((3,), (3, 4), (4,), "SqueezeBackward4"),
        ((2, 3), (3, 4), (2, 4), "MmBackward0"),
        ((5, 2, 3), (3, 4), (5, 2, 4), "UnsafeViewBackward0"),
        ((5, 1, 2, 3), (4, 3, 2), (5, 4, 2, 2), "UnsafeViewBackward0"),
        ((3,), (5, 3, 4), (5, 4), "UnsafeViewBackward0"),
        ((5, 2, 3), (3,), (5, 2), "UnsafeViewBackward0"),
    ],
)
def test_matmul_of_all_ranks_and_its_gradients(first, second, shape, name):
    a, b = ones(*first), ones(*second)
    out = a @ b
    assert tuple(out.shape) == shape
    assert out.grad_fn.name() == name
    assert (out == 3).all()
    out.sum().backward()
    assert a.grad.shape == a.shape
    assert b.grad.shape == b.shape
    assert (a.grad == out.numel() * 3 / a.numel()).all()
    assert (b.grad == out.numel() * 3 / b.numel()).all()


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ((2, 3), (2, 3), "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
        ((2, 3), (2,), "size mismatch, got input (2), mat (2x3), vec (2)"),
        ((2,), (3, 3), "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x3)"),
        ((2, 3, 3), (2, 4), "mat1 and mat2 shapes cannot be multiplied (6x3 and 2x4)"),
        ((2, 3, 3), (2, 4, 3), "Expected size for first two dimensions of batch2 tensor to be: [2, 3] but got: [2, 4]"),
        ((), (3, 3), "both arguments to matmul need to be at least 1D, but they are 0D and 2D"),
    ],
)
def test_shapes_that_do_not_fit(first, second, sentence):
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        torch.ones(first) @ torch.ones(second)


def test_dtypes_must_be_equal():
    with pytest.raises(RuntimeError, match="expected m1 and m2 to have the same dtype, but got: float != double"):
        torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64)
    with pytest.raises(NotImplementedError, match="\"addmm_impl_cpu_\" not implemented for 'Bool'"):
        torch.ones(2, 2, dtype=torch.bool) @ torch.ones(2, 2, dtype=torch.bool)
    with pytest.raises(TypeError, match="unsupported operand type"):
        torch.ones(2, 2) @ 3
    with pytest.raises(TypeError, match=re.escape("matmul(): argument 'other' (position 2) must be Tensor, not int")):
        torch.matmul(torch.ones(2, 2), 3)


def test_a_product_of_products_can_be_differentiated_twice():
    a, b = ones(2, 3), ones(3, 2)
    (first,) = torch.autograd.grad(((a @ b) ** 2).sum(), [a], create_graph=True)
    first.sum().backward()
    assert b.grad.tolist() == [[24.0, 24.0]] * 3


@pytest.mark.parametrize(
    ("shape", "name"), [((2, 3), "AddmmBackward0"), ((3,), "ViewBackward0"), ((4, 2, 3), "ViewBackward0")]
)
def test_linear_is_one_op(shape, name):
    x, weight, bias = ones(*shape), ones(5, 3), ones(5)
    out = _linear(x, weight, bias)
    assert out.grad_fn.name() == name
    assert (out == 4).all()
    out.sum().backward()
    rows = out.numel() / 5
    assert (weight.grad == rows).all()
    assert (bias.grad == rows).all()
    assert (x.grad == 5).all()
    assert _linear(x, weight, None).grad_fn.name() != name


def test_linear_says_what_does_not_fit():
    with pytest.raises(RuntimeError, match=re.escape("mat1 and mat2 shapes cannot be multiplied (2x4 and 3x3)")):
        _linear(torch.ones(2, 4), torch.ones(3, 3), None)


def test_addmm_is_written_in_place():
    t = torch.ones(2, 2)
    assert t.addmm_(torch.ones(2, 3), torch.ones(3, 2), beta=2, alpha=0.5) is t
    assert t.tolist() == [[3.5, 3.5], [3.5, 3.5]]


def test_einsum():
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4)
    assert torch.equal(torch.einsum("ij,jk", a, b), a @ b)
    assert torch.equal(torch.einsum("ij,jk->ki", a, b), (a @ b).t())
    assert torch.equal(torch.einsum(a, [0, 1], b, [1, 2], [0, 2]), a @ b)
    assert torch.einsum("ij->", a).item() == 15.0
    assert torch.einsum("ii->i", torch.eye(3) * 2).tolist() == [2.0, 2.0, 2.0]
    assert torch.einsum("...ij,...jk->...ik", torch.ones(5, 2, 3), b).shape == (5, 2, 4)
    assert torch.einsum("bqhd,bkhd->bhqk", torch.ones(2, 3, 2, 4), torch.ones(2, 5, 2, 4)).shape == (2, 2, 3, 5)


@pytest.mark.parametrize(
    ("equation", "shapes", "sentence"),
    [
        ("ij,jk->iz", [(2, 3), (3, 5)], "output subscript z does not appear in the equation for any input operand"),
        ("ij,jk", [(2, 3), (4, 5)], "subscript j has size 4 for operand 1 which does not broadcast with previously"),
        ("ij,jk", [(2, 3)], "fewer operands were provided than specified in the equation"),
        ("i1", [(2, 3)], "invalid subscript given at index 1 in the equation string, subscripts must be in [a-zA-Z]"),
    ],
)
def test_einsum_says_what_is_wrong(equation, shapes, sentence):
    with pytest.raises(RuntimeError, match=re.escape("einsum(): " + sentence)):
        torch.einsum(equation, *[torch.ones(s) for s in shapes])


def test_other_products():
    a = torch.arange(6.0).reshape(2, 3)
    assert torch.tensordot(a, a, ([0, 1], [0, 1])).item() == 55.0
    assert torch.kron(torch.eye(2), torch.ones(1, 2)).tolist() == [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    assert torch.cross(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), 0).tolist() == [0.0, 0.0, 1.0]
    assert linalg.multi_dot([a, a.t(), a]).shape == (2, 3)
    assert torch.outer(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])).tolist() == [[3.0, 4.0], [6.0, 8.0]]


def test_factors_give_the_matrix_back():
    a = torch.tensor([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]], dtype=torch.float64)
    low = linalg.cholesky(a)
    q, r = linalg.qr(a)
    u, s, vh = linalg.svd(a)
    values, vectors = linalg.eigh(a)
    for again in (low @ low.mT, q @ r, (u * s) @ vh, (vectors * values) @ vectors.mT, linalg.inv(linalg.inv(a))):
        assert (again - a).abs().max().item() < 1e-12
    assert linalg.slogdet(a).logabsdet.exp().item() == pytest.approx(linalg.det(a).item())
    assert (a @ linalg.solve(a, torch.ones(3, dtype=torch.float64)) - 1).abs().max().item() < 1e-12


@torch.use_backend("numpy")  # a library that traces cannot look at the values
def test_unfit_matrices_are_named():
    with pytest.raises(RuntimeError, match=r"linalg\.inv: The diagonal element 2 is zero, the inversion could not be"):
        linalg.inv(torch.ones(2, 2))
    with pytest.raises(linalg.LinAlgError, match="the leading minor of order 1 is not positive-definite"):
        linalg.cholesky(-torch.eye(2))
    with pytest.raises(RuntimeError, match=r"linalg\.det: A must be batches of square matrices, but they are 2 by 3"):
        linalg.det(torch.ones(2, 3))


def test_matrix_norms():
    a = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert linalg.norm(a).item() == pytest.approx(30**0.5)
    assert linalg.norm(a, 1).item() == 6.0
    assert linalg.matrix_norm(a, float("inf")).item() == 7.0
    assert linalg.matrix_norm(a, "nuc").item() == pytest.approx(linalg.svdvals(a).sum().item())
