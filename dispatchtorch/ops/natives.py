"""The forms of ops that PyTorch's programs reach below its public functions: norms with their statistics, a mask apart.

Each says what the public op of the same family says, and the numbers that it found on the way. Knows no kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dispatchtorch._base.dtypes import bool_, int64, uint64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.dropout import mask as dropout_mask
from dispatchtorch.ops.norm import batch_statistics, group_norm, layer_statistics
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["chunk_cat", "hash_tensor", "native_batch_norm", "native_dropout", "native_group_norm", "native_layer_norm"]

Tensors = tuple[Tensor, Tensor, Tensor]

# --- norms ------------------------------------------------------------------------------------------------------------


def _layer_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 4), [4], make(4), make(4), 1e-5))
    yield Sample((make(2, 3, 4), [3, 4], None, None, 1e-5))


@composite(samples=_layer_samples)
def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensors:
    """Returns the input normalised over its last dims, the means and the inverse deviations.

    >>> [tuple(t.shape) for t in torch.native_layer_norm(torch.zeros(2, 3), [3], None, None, 1e-5)]
    [(2, 3), (2, 1), (2, 1)]
    """
    out, mean, rstd = layer_statistics(input, tuple(normalized_shape), weight, bias, eps)
    return out, mean.detach().to(input._key.dtype), rstd.detach().to(input._key.dtype)


def _group_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 4, 3), make(4), make(4), 2, 4, 3, 2, 1e-5))
    yield Sample((make(1, 6, 2), None, None, 1, 6, 2, 3, 0.5))


@composite(samples=_group_samples)
def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> Tensors:
    """Returns the input normalised within groups of channels, the groups' means and their inverse deviations."""
    out = group_norm(input, group, weight, bias, eps)
    dtype = input._key.dtype
    wide = input if dtype.itemsize >= 4 else input.float()
    groups = wide.reshape(N, group, C * HxW // group) if group else wide
    mean = groups.mean(-1, True)
    rstd = ((groups - mean).square().mean(-1) + eps).rsqrt()
    return out, mean.squeeze(-1).to(dtype), rstd.to(dtype)


def _batch_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4, 3), make(3), make(3), None, None, True, 0.1, 1e-5))
    yield Sample((make(2, 3, 4), make(3), None, make(3), make(3, low=0.5, high=1.0), False, 0.1, 1e-5))


@composite(out=True, samples=_batch_samples)
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensors:
    """Returns the input normalised a channel, the means and the inverse deviations; these are empty in evaluation."""
    out, mean, var = batch_statistics(input, weight, bias, running_mean, running_var, training, momentum, eps)
    if not training or mean is None or var is None:
        return out, input.new_empty((0,)), input.new_empty((0,))
    return out, mean.detach().to(input._key.dtype), (var.detach() + eps).rsqrt().to(input._key.dtype)


# --- dropout ----------------------------------------------------------------------------------------------------------


@composite(samples=lambda make: iter((Sample((make(3, 4), 0.5, False)), Sample((make(3, 4), 0.0, True)))))
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Returns the dropout of the input, and a mask that is False where an element was dropped."""
    if train is False or p == 0:
        return input.clone(), METHODS["new_ones"](input, input.shape, dtype=bool_)
    kept = dropout_mask(input, p)
    return input * kept, kept != 0


# --- pieces, and a hash -----------------------------------------------------------------------------------------------


def _chunk_samples(make: Maker) -> Iterator[Sample]:
    yield Sample(([make(5, 2), make(3, 2)], 0, 2))
    yield Sample(([make(2, 5), make(2, 1)], 1, 3))


@composite(names=("_chunk_cat",), out=True, samples=_chunk_samples)
def chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int) -> Tensor:
    """Returns the tensors cut into equal pieces along ``dim``, filled up with zeros; piece beside piece, a row each."""
    if not tensors:
        raise RuntimeError("_chunk_cat expects a non-empty input tensor list")
    if num_chunks < 1:
        raise RuntimeError("_chunk_cat expects positive num_chunks")
    first = tensors[0]
    if any(t.ndim != first.ndim for t in tensors):
        if dim < 0:
            raise RuntimeError("_chunk_cat expects non-negative dim when input tensors have different ndims")
        if any(dim >= t.ndim for t in tensors):
            raise RuntimeError("_chunk_cat expects dim < ndim for all input tensors")
    dim = wrap_dim(dim, first.ndim)
    for t in tensors:
        if not t._a.size:
            raise RuntimeError("_chunk_cat expects non-empty tensor")
        if t._key.dtype is not first._key.dtype:
            raise RuntimeError("_chunk_cat expects all input tensors with the same dtype")
        if t.shape[:dim] != first.shape[:dim]:
            raise RuntimeError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors")
    rows = []
    for t in tensors:
        each = -(-t.shape[dim] // num_chunks)
        missing = each * num_chunks - t.shape[dim]
        if missing:
            zeros = t.new_zeros((*t.shape[:dim], missing, *t.shape[dim + 1 :]))
            t = FUNCTIONS["cat"]([t, zeros], dim)
        rows.append(t.reshape(*t.shape[:dim], num_chunks, -1))
    return FUNCTIONS["cat"](rows, dim + 1)  # type: ignore[no-any-return]  # an entry of the table


del FUNCTIONS["chunk_cat"]  # PyTorch has it under the other name alone


def _hash_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3),), grad=False)
    yield Sample((make(2, 5, dtype="int64"), 1), {"keepdim": True}, grad=False)


@composite(method=True, out=True, samples=_hash_samples)
def hash_tensor(input: Tensor, dim: int | Sequence[int] = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """Returns the exclusive or of the bits of all elements along ``dim``, each widened to 64 bits, as uint64.

    >>> torch.hash_tensor(torch.tensor([1, 2, 4]))
    tensor(7, dtype=torch.uint64)
    """
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    if input._key.dtype.is_complex:
        raise NotImplementedError(f"\"xor_sum_cpu\" not implemented for '{input._key.dtype.legacy}'")
    ndim = input.ndim
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    dims: list[int] = []
    for one in given:
        wrapped = wrap_dim(one, ndim)
        if wrapped in dims:
            raise RuntimeError(f"dim {wrapped} appears multiple times in the list of dims")
        dims.append(wrapped)
    if not input._a.size:
        if not dims:
            raise RuntimeError(
                "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                "dim with the 'dim' argument."
            )
        for one in dims:
            if input.shape[one] == 0:
                raise RuntimeError(f"hash_tensor: Expected reduction dim {one} to have non-zero size.")
    bits = input.detach()
    bits = bits.double().view(int64) if bits._key.dtype.is_floating_point else bits.long()
    if not ndim:
        return bits.view(uint64)
    for one in dims or range(ndim):
        bits = _folded(bits, one)
    if not keepdim:
        for one in sorted(dims or range(ndim), reverse=True):
            bits = bits.squeeze(one)
    return bits.view(uint64)


def _folded(bits: Tensor, dim: int) -> Tensor:
    """Returns the exclusive or along a dimension, which stays with size one: the halves onto each other, again."""
    while (count := bits.shape[dim]) > 1:
        half = count // 2
        joined = bits.narrow(dim, 0, half) ^ bits.narrow(dim, half, half)
        bits = FUNCTIONS["cat"]([joined, bits.narrow(dim, 2 * half, 1)], dim) if count % 2 else joined
    return bits
