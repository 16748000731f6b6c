"""Products of matrices: what BLAS does, and what is lost on the way to it."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.case import Act, Group

__all__ = ["PRODUCTS"]

PRODUCTS = Group("matmul, bmm, einsum", {"numpy": 0.55})


def _matmul(n: int) -> None:
    @PRODUCTS.case(f"matmul {n}x{n}")
    def _(torch: Any) -> Act:
        torch.manual_seed(0)
        a, b = torch.randn(n, n), torch.randn(n, n)
        return lambda: a @ b


for _n in (16, 64, 256, 512, 1024):
    _matmul(_n)


@PRODUCTS.case("matmul 256x256, transposed")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(256, 256), torch.randn(256, 256)
    return lambda: a @ b.t()


@PRODUCTS.case("matmul 256x256, forward and backward")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(256, 256, requires_grad=True), torch.randn(256, 256, requires_grad=True)

    def both() -> object:
        a.grad = b.grad = None
        (a @ b).sum().backward()
        return a.grad, b.grad

    return both


@PRODUCTS.case("matrix times vector, 1024")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(1024, 1024), torch.randn(1024)
    return lambda: a @ b


@PRODUCTS.case("bmm 32 x 64x64")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(32, 64, 64), torch.randn(32, 64, 64)
    return lambda: torch.bmm(a, b)


@PRODUCTS.case("bmm 48 x 128x32 by 32x128 (attention)")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(4, 12, 128, 32), torch.randn(4, 12, 128, 32)
    return lambda: a @ b.transpose(-2, -1)


@PRODUCTS.case("linear 64x512 by 512x512")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    x, w, b = torch.randn(64, 512), torch.randn(512, 512), torch.randn(512)
    return lambda: torch.nn.functional.linear(x, w, b)


@PRODUCTS.case("einsum bij,bjk->bik")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(16, 64, 64), torch.randn(16, 64, 64)
    return lambda: torch.einsum("bij,bjk->bik", a, b)


@PRODUCTS.case("einsum bhqd,bhkd->bhqk")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(4, 4, 64, 32), torch.randn(4, 4, 64, 32)
    return lambda: torch.einsum("bhqd,bhkd->bhqk", a, b)


@PRODUCTS.case("einsum ij,j->i")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    a, b = torch.randn(512, 512), torch.randn(512)
    return lambda: torch.einsum("ij,j->i", a, b)
