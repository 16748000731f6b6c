"""Singular values and eigenvalues, with the vectors that belong to them.

The derivatives of vectors hold where they are unique: values that are distinct. Vectors of complex matrices are unique
up to a phase besides, so a loss that depends on the phase is refused, as in torch.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_nt, _matmul_tn, conj, matmul
from dispatchtorch.ops.matrices import (
    LinAlgError,
    check_matrix,
    check_square,
    converged,
    herm,
    holds,
    linalg,
    square,
    symmetric,
)
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.systems import _solve
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "linalg_eig", "linalg_eigh", "linalg_eigvals", "linalg_eigvalsh", "linalg_svd", "linalg_svdvals", "svd",
]  # fmt: skip

LinalgSvdResult = return_types.make("linalg_svd", "U", "S", "Vh")
SvdResult = return_types.make("svd", "U", "S", "V")
EighResult = return_types.make("linalg_eigh", "eigenvalues", "eigenvectors")
EigResult = return_types.make("linalg_eig", "eigenvalues", "eigenvectors")


def _refuse_phase(diagonal: Tensor, sentence: str) -> None:
    """Raises unless the imaginary parts vanish: what the loss would change by when a vector's phase turns."""
    if not holds(diagonal.detach().imag.abs() <= 1e-2):
        raise RuntimeError(sentence)


def _eye_like(values: Tensor) -> Tensor:
    return FUNCTIONS["eye"](values._a.shape[-1], dtype=values._key.dtype, device=values._key.device)  # type: ignore[no-any-return]  # an entry of the table


def _on_diagonal(values: Tensor, dtype: Any) -> Tensor:
    return FUNCTIONS["diag_embed"](values.to(dtype))  # type: ignore[no-any-return]  # an entry of the table


# --- singular values --------------------------------------------------------------------------------------------------


def _svd_grad(g: Any, out: Any, full: bool) -> Tensor | None:
    """Returns the gradient of a decomposition with distinct singular values; added vectors take no part."""
    (gu, gs, gvh), (u, s, vh) = g, out
    k = s._a.shape[-1]
    if full:
        u, vh = u.narrow(-1, 0, k), vh.narrow(-2, 0, k)
        gu = None if gu is None else gu.narrow(-1, 0, k)
        gvh = None if gvh is None else gvh.narrow(-2, 0, k)
    if gu is None and gvh is None:
        return None if gs is None else matmul(u * gs.unsqueeze(-2), vh)
    su = None if gu is None else _matmul_tn(conj(u), gu)
    sv = None if gvh is None else matmul(vh, herm(gvh))
    complex_ = u._key.dtype.category == 3
    if complex_:
        turned = sum(x.diagonal(0, -2, -1) for x in (su, sv) if x is not None)
        _refuse_phase(
            turned,  # type: ignore[arg-type]  # one of the two is there
            "svd_backward: The singular vectors in the complex case are specified up to multiplication by e^{i phi}. "
            "The specified loss function depends on this quantity, making it ill-defined.",
        )
    eye = _eye_like(s)
    square_ = s * s
    gaps = square_.unsqueeze(-2) - square_.unsqueeze(-1) + eye
    f = (1 - eye) / gaps
    middle = 0 if gs is None else _on_diagonal(gs, u._key.dtype)
    if su is not None:
        middle = middle + f * (su - herm(su)) * s.unsqueeze(-2)
        if complex_:
            skew = FUNCTIONS["diag_embed"](su.diagonal(0, -2, -1).imag / s)
            middle = middle + FUNCTIONS["complex"](FUNCTIONS["zeros_like"](skew), skew)
    if sv is not None:
        middle = middle + s.unsqueeze(-1) * (f * (sv - herm(sv)))
    result = matmul(matmul(u, middle), vh)  # type: ignore[arg-type]  # a tensor by now
    if gu is not None and u._a.shape[-2] > k:
        result = result + matmul((gu - matmul(u, su)) / s.unsqueeze(-2), vh)  # type: ignore[arg-type]  # there, as gu is
    if gvh is not None and vh._a.shape[-1] > k:
        result = result + matmul(u / s.unsqueeze(-2), gvh - matmul(herm(sv), vh))  # type: ignore[arg-type]  # as above
    return result


@primitive(grad={"input": _svd_grad}, node="LinalgSvdBackward0", partial=True)
def _svd(input: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Returns left vectors, values, right vectors as rows."""
    ...


@primitive(
    grad={"input": lambda g, input: matmul(_svd(input, False)[0] * g.unsqueeze(-2), _svd(input, False)[2])},
    node="LinalgSvdBackward0",
    samples=lambda make: iter([Sample((make(3, 3),)), Sample((make(2, 3, 4),))]),
)
def _svdvals(input: Tensor) -> Tensor:
    """Returns singular values alone."""
    ...


def _diverged() -> Exception:
    return LinAlgError(
        "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."
    )


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )


def _svd_of(name: str, A: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    check_matrix(name, A, kernel="linalg_svd_cpu")
    out: tuple[Tensor, Tensor, Tensor] = converged(lambda: _svd(A, full), _diverged)
    if not A._key.native and not holds(out[1].detach() == out[1].detach()):
        raise _diverged()
    return out


def values_of(name: str, A: Tensor) -> Tensor:
    """Returns the singular values of ``A``; with their vectors where a derivative will ask for them."""
    if A._key.requires or A._key.backend.below is not None:
        return _svd_of(name, A, False)[1]
    check_matrix(name, A, kernel="linalg_svd_cpu")
    return converged(lambda: _svdvals(A), _diverged)  # type: ignore[no-any-return]  # what the call gives


@linalg(samples=lambda make: iter([Sample((make(4, 3),), grad=False), Sample((make(2, 3, 4), False))]))
def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """Returns (U, S, Vh): left vectors, singular values in decreasing order, right vectors as rows."""
    _check_driver(driver)
    return LinalgSvdResult(_svd_of("linalg.svd", A, full_matrices))


@linalg(samples=lambda make: iter([Sample((make(4, 3),)), Sample((make(2, 2, 3),))]))
def linalg_svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Returns the singular values in decreasing order."""
    _check_driver(driver)
    return values_of("linalg.svd", A)


@composite(
    method=True, out=True, samples=lambda make: iter([Sample((make(4, 3),)), Sample((make(4, 3), False), grad=False)])
)
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """Returns (U, S, V), with ``V`` as columns; ``some=False`` completes the vectors; without ``compute_uv`` zeros."""
    if len(input._a.shape) < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {len(input._a.shape)} dimensions instead"
        )
    if not compute_uv:
        m, n = input._a.shape[-2:]
        batch = tuple(input._a.shape[:-2])
        return SvdResult((input.new_zeros((*batch, m, m)), linalg_svdvals(input), input.new_zeros((*batch, n, n))))
    u, s, vh = _svd_of("linalg.svd", input, not some)
    return SvdResult((u, s, herm(vh)))


# --- eigenvalues of Hermitian matrices --------------------------------------------------------------------------------


def _eigh_grad(g: Any, out: Any) -> Tensor | None:
    """Returns the gradient of an eigendecomposition; distinct eigenvalues where the vectors are used."""
    (gl, gv), (values, vectors) = g, out
    if gv is None:
        return None if gl is None else _matmul_nt(vectors * gl.unsqueeze(-2), conj(vectors))
    eye = _eye_like(values)
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1) + eye
    through = _matmul_tn(conj(vectors), gv)
    if vectors._key.dtype.category == 3:
        _refuse_phase(
            through.diagonal(0, -2, -1),
            "linalg_eigh_backward: The eigenvectors in the complex case are specified up to multiplication by "
            "e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined.",
        )
    inner = (through - herm(through)) * 0.5 * ((1 - eye) / gaps)  # symmetric, as the matrix is taken to be
    if gl is not None:
        inner = inner + _on_diagonal(gl, vectors._key.dtype)
    return _matmul_nt(matmul(vectors, inner), conj(vectors))


@primitive(grad={"input": _eigh_grad}, node="LinalgEighBackward0", partial=True)
def _eigh(input: Tensor, upper: bool) -> tuple[Tensor, Tensor]:
    """Returns eigenvalues in increasing order and eigenvectors."""
    ...


@primitive(
    samples=lambda make: iter(
        [Sample((symmetric(make), False), grad=False), Sample((symmetric(make, 2), True), grad=False)]
    )
)
def _eigvalsh(input: Tensor, upper: bool) -> Tensor:
    """Returns eigenvalues in increasing order alone."""
    ...


def _triangle_of(UPLO: str) -> bool:
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


def _check_hermitian(A: Tensor) -> None:
    check_square("linalg.eigh", A, kernel="linalg_eigh_cpu")


def _unsettled(name: str) -> Exception:
    return LinAlgError(
        f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned or "
        "has too many repeated eigenvalues (error code: 1)."
    )


def _symmetric_samples(make: Maker) -> Any:
    yield Sample((symmetric(make),), grad=False)
    yield Sample((symmetric(make, 2), "U"), grad=False)


@linalg(samples=_symmetric_samples)
def linalg_eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Returns (eigenvalues, eigenvectors) of a symmetric or Hermitian matrix, of which one triangle is read."""
    _check_hermitian(A)
    upper = _triangle_of(UPLO)
    return EighResult(converged(lambda: _eigh(A, upper), lambda: _unsettled("linalg.eigh")))


@linalg(samples=_symmetric_samples)
def linalg_eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Returns the eigenvalues of a symmetric or Hermitian matrix in increasing order."""
    _check_hermitian(A)
    upper = _triangle_of(UPLO)
    if A._key.requires or A._key.backend.below is not None:
        return linalg_eigh(A, UPLO)[0]  # type: ignore[no-any-return]  # one of two outputs
    return converged(lambda: _eigvalsh(A, upper), lambda: _unsettled("linalg.eigh"))  # type: ignore[no-any-return]  # what the call gives


# --- eigenvalues of any square matrix ---------------------------------------------------------------------------------


def _eig_grad(g: Any, out: Any) -> Tensor | None:
    """Returns the gradient of an eigendecomposition into vectors of length one; distinct eigenvalues."""
    from_values, gv = g
    values, vectors = out
    back = herm(vectors)
    if gv is None:
        return None if from_values is None else _solve(back, from_values.unsqueeze(-1) * back)[0]
    through = matmul(back, gv)
    diagonal = through.diagonal(0, -2, -1)
    _refuse_phase(
        diagonal,
        "linalg_eig_backward: The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. "
        "The specified loss function depends on this quantity, so it is ill-defined.",
    )
    eye = _eye_like(values)
    gaps = conj(values.unsqueeze(-2) - values.unsqueeze(-1)) + eye
    lengths = matmul(back, vectors) * diagonal.real.unsqueeze(-2)
    inner = (through - lengths) * ((1 - eye) / gaps)
    if from_values is not None:
        inner = inner + FUNCTIONS["diag_embed"](from_values)
    return _solve(back, matmul(inner, back))[0]


@primitive(grad={"input": _eig_grad}, node="LinalgEigBackward0", partial=True)
def _eig(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns complex eigenvalues and eigenvectors of length one."""
    ...


def _eig_of(A: Tensor) -> tuple[Tensor, Tensor]:
    def unfit() -> Exception:
        return RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")

    if A._key.dtype.category < 2:
        raise RuntimeError(f"Unknown Complex ScalarType for {A._key.dtype.legacy}")
    check_square("linalg.eig", A, kernel="linalg_eig_out_cpu")
    return converged(lambda: _eig(A), unfit)  # type: ignore[no-any-return]  # what the call gives


def _eig_samples(make: Maker) -> Any:
    yield Sample((symmetric(make) + 0.1 * FUNCTIONS["triu"](square(make)),), grad=False)


@linalg(samples=_eig_samples)
def linalg_eig(A: Tensor) -> Any:
    """Returns (eigenvalues, eigenvectors) of a square matrix; both are complex."""
    return EigResult(_eig_of(A))


def _eigvals_samples(make: Maker) -> Any:
    for sample in _eig_samples(make):
        yield Sample(sample.args)


@linalg(samples=_eigvals_samples)
def linalg_eigvals(A: Tensor) -> Tensor:
    """Returns the complex eigenvalues of a square matrix, in no particular order."""
    return _eig_of(A)[0]
