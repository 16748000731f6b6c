"""An op with several outputs may have one of them written, as long as no derivative reads it."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
import dispatchtorch.nn.functional as F


def test_a_batch_norm_may_be_followed_by_a_relu_in_place():
    x = torch.tensor([[1.0, -2.0], [3.0, 5.0], [0.0, 1.0]], requires_grad=True)
    plain = F.relu(F.batch_norm(x, None, None, training=True))
    (wanted,) = torch.autograd.grad(plain.pow(2).sum(), x)
    written = F.relu(F.batch_norm(x, None, None, training=True), inplace=True)
    (got,) = torch.autograd.grad(written.pow(2).sum(), x)
    assert torch.equal(got, wanted)


def test_an_output_that_a_derivative_reads_may_not_be_written():
    x = torch.eye(2, dtype=torch.float64).mul(2.0).requires_grad_()
    values, vectors = torch.linalg.eigh(x)
    vectors.detach().mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()
