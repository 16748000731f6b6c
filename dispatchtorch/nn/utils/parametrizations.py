"""Parametrisations that torch brings: orthogonal matrices, spectral norm one, norms apart from directions."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, TypeVar

from dispatchtorch._base.limits import finfo
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.functional.margin import normalize
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.utils.parametrize import register_parametrization
from dispatchtorch.nn.utils.spectral_norm import usual_dim
from dispatchtorch.nn.utils.weight_norm import norm_except_dim, scaled_directions
from dispatchtorch.ops.decompositions import linalg_matrix_exp
from dispatchtorch.ops.reflectors import geqrf, linalg_householder_product
from dispatchtorch.ops.systems import linalg_solve
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


def _eye(n: int, like: Tensor) -> Tensor:
    return FUNCTIONS["eye"](n, dtype=like.dtype, device=like.device)  # type: ignore[no-any-return]  # of the table


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.size(-2), q.size(-1)
    return bool((q.mH @ q).allclose(_eye(k, q), atol=10.0 * n * finfo(q.dtype).eps))


def _orthogonalized(a: Tensor) -> Tensor:
    """Returns the Q of a tall matrix's QR decomposition whose R has a positive diagonal."""
    reflectors, tau = geqrf(a)
    signs = reflectors.diagonal(dim1=-2, dim2=-1).sgn()
    return linalg_householder_product(reflectors, tau) * signs.unsqueeze(-2)  # type: ignore[no-any-return]  # methods


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """Returns the orthogonal matrix that the free parameters mean."""
        transposed = X.size(-2) < X.size(-1)
        tall = X.mT if transposed else X
        if self.orthogonal_map == _OrthMaps.householder:
            q = self._of_reflectors(tall)
        else:
            q = self._of_skew(tall)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if transposed else q

    def _of_reflectors(self, tall: Tensor) -> Tensor:
        below = tall.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (below * below).sum(dim=-2))
        signs = tall.detach().diagonal(dim1=-2, dim2=-1).int()  # ones and minus ones, which are not trained
        return linalg_householder_product(below, tau) * signs.unsqueeze(-2)  # type: ignore[no-any-return]  # methods

    def _of_skew(self, tall: Tensor) -> Tensor:
        n, k = tall.size(-2), tall.size(-1)
        low = tall.tril()
        if n != k:
            low = FUNCTIONS["cat"]([low, low.new_zeros(n, n - k).expand(*low.shape[:-2], -1, -1)], dim=-1)
        skew = low - low.mH
        if self.orthogonal_map == _OrthMaps.matrix_exp:
            q = linalg_matrix_exp(skew)
        else:
            one = _eye(n, skew)
            q = linalg_solve(one - skew * 0.5, one + skew * 0.5)
        return q[..., :k] if n != k else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """Returns free parameters for a matrix, which is made orthogonal where it is not."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        transposed = Q.size(-2) < Q.size(-1)
        with no_grad():
            tall = Q.mT if transposed else Q
            if not hasattr(self, "base"):
                return self._reflectors_of(tall, transposed)
            self.base = self._completed(tall)
            free = FUNCTIONS["zeros_like"](Q)
            free.diagonal(dim1=-2, dim2=-1).fill_(-1.0)  # which the reflectors read as the identity
        return free  # type: ignore[no-any-return]  # a function of the table

    def _reflectors_of(self, tall: Tensor, transposed: bool) -> Tensor:
        if self.orthogonal_map != _OrthMaps.householder:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        found, tau = geqrf(tall)
        diagonal = found.diagonal(dim1=-2, dim2=-1)
        signs = diagonal.sign() * (1 - 2 * (tau == 0.0).to(tau.dtype))  # no reflection there: LAPACK says nought
        diagonal.copy_(signs)
        return found.mT if transposed else found  # type: ignore[no-any-return]  # methods of the table

    def _completed(self, tall: Tensor) -> Tensor:
        """Returns a square orthogonal matrix that begins with the columns given."""
        n, k = tall.size(-2), tall.size(-1)
        if n == k:
            return tall.clone() if _is_orthogonal(tall) else _orthogonalized(tall)
        more = FUNCTIONS["randn"](*tall.size()[:-2], n, n - k, dtype=tall.dtype, device=tall.device)
        return _orthogonalized(FUNCTIONS["cat"]([tall, more], dim=-1))


def _tensor_of(module: Module, name: str) -> Tensor:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return found


def orthogonal(
    module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> M:
    """Returns the module, whose matrix is orthogonal from now on, however its free parameters change.

    ``orthogonal_map``: "matrix_exp", "cayley" or "householder". ValueError for vectors and unknown maps.

    >>> import dispatchtorch as torch
    >>> q = orthogonal(torch.nn.Linear(2, 4)).weight
    >>> bool(torch.dist(q.T @ q, torch.eye(2)) < 1e-4)
    True
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1) or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Returns the directions with their norms."""
        return scaled_directions(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Returns norms and directions of a weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Returns the module, whose weight has its norms and its directions as separate parameters.

    ``dim``: the one norm an index of which there is; None: one norm for all. States of the older way load as well.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def renamed(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(renamed)
    return module


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            high, wide = matrix.size()
            u, v = matrix.new_empty(high).normal_(0, 1), matrix.new_empty(wide).normal_(0, 1)
            self.register_buffer("_u", normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        """Brings the two vectors nearer to those of the largest singular value, in place."""
        with no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the weight over its largest singular value; in training the vectors follow first."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the graph keeps these; the buffers will be written again
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Returns the value as it is."""
        return value


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Returns the module, whose weight is divided by its largest singular value wherever it is used."""
    weight = _tensor_of(module, name)
    made = _SpectralNorm(weight, n_power_iterations, usual_dim(module) if dim is None else dim, eps)
    return register_parametrization(module, name, made)
