"""Samples of functions whose own paragraph has none: those made in loops, and thin ones over an op that has its own.

Prefer ``samples=`` in the op's paragraph; it wins over an entry here. A line is a name and its calls; `t` stands for a
fresh float tensor of a shape, other kinds are made in a sampler of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dispatchtorch.ops.samples import Maker, Sample, Sampler, binary, unary

__all__ = ["SAMPLES"]


@dataclass(frozen=True, slots=True)
class _Input:
    shape: tuple[int, ...]
    options: dict[str, Any]


def t(*shape: int, **options: Any) -> Any:
    """Stands for a tensor that is made when the sample is."""
    return _Input(shape, options)


def ints(*shape: int, low: int = 0, high: int = 3) -> Any:
    """Stands for a tensor of int64."""
    return _Input(shape, {"dtype": "int64", "low": low, "high": high})


def flags(*shape: int) -> Any:
    """Stands for a tensor of bools."""
    return _Input(shape, {"dtype": "bool", "low": 0.0, "high": 1.0})


def calls(*samples: Any, grad: bool = True) -> Sampler:
    """Returns a sampler of these calls: tuples of arguments, a final dict being the keywords."""

    def sampler(make: Maker) -> Iterator[Sample]:
        def made(value: Any) -> Any:
            if isinstance(value, _Input):
                return make(*value.shape, **value.options)
            if isinstance(value, (list, tuple)):
                return type(value)(made(v) for v in value)
            return value

        for sample in samples:
            args = sample if isinstance(sample, tuple) else (sample,)
            kwargs = args[-1] if args and isinstance(args[-1], dict) else {}
            args = args[: len(args) - bool(kwargs)]
            yield Sample(made(args), {k: made(v) for k, v in kwargs.items()}, grad)

    return sampler


def _definite(make: Maker) -> Iterator[Sample]:
    """Yields symmetric positive definite matrices; a small one is drawn, its square is shifted."""
    for batch in ((), (2,)):
        a = make(*batch, 3, 3).detach()  # sums alone: the last bits of a product are not every library's
        yield Sample(((a + a.transpose(-2, -1).conj() + a.new_ones(3).diag() * 16).detach(),))


def _symmetric(make: Maker) -> Iterator[Sample]:
    for sample in _definite(make):
        yield Sample((*sample.args, False))


def _triangular(make: Maker) -> Iterator[Sample]:
    for upper in (True, False):
        yield Sample((make(3, 3, low=0.5), make(3, 2), upper, False))


_matrix = calls((t(3, 4),), (t(2, 3, 4),))
_made = calls((2, 3), ((2, 3),), (0,), ((),), grad=False)
_like = calls(t(2, 3), t(), t(0, 2), grad=False)
_batch = (t(4, 3), t(3), t(3), t(3), t(3, low=0.5, high=1.0))

SAMPLES: Final[dict[str, Sampler]] = {
    # elementwise
    "floor_divide": binary(low=0.5),
    "addcmul": calls((t(2, 3), t(2, 3), t(3)), (t(2, 3), t(2, 1), t(3), {"value": 0.5}), (t(3), t(2, 3), t(2, 3))),
    "addcdiv": calls((t(2, 3), t(2, 3), t(3, low=0.5)), (t(2, 3), t(2, 1), t(3, low=0.5), {"value": 0.5})),
    "positive": unary(),
    "_complex": calls((t(3, 4), t(3, 4))),
    "isclose": calls((t(3, 4), t(3, 4)), (t(3, 4), t(3, 4), {"rtol": 0.5, "atol": 0.5})),
    "allclose": calls((t(3, 4), t(3, 4)), (t(3, 4), t(3, 4), {"rtol": 9.0, "atol": 9.0})),
    "equal": calls((t(3, 4), t(3, 4)), (t(3), t(4))),
    "clamp_min": calls((t(3, 4), 0.25), (t(3, 4), t(4))),
    "clamp_max": calls((t(3, 4), 0.25), (t(3, 4), t(4))),
    "maximum": calls((t(3, 4), t(3, 4)), (t(3, 1), t(4))),
    "minimum": calls((t(3, 4), t(3, 4)), (t(3, 1), t(4))),
    "bitwise_and": calls((ints(3, 4, high=9), ints(3, 4, high=9)), (flags(3, 4), flags(4)), (ints(3, high=9), 5)),
    "bitwise_or": calls((ints(3, 4, high=9), ints(3, 4, high=9)), (flags(3, 4), flags(4)), (ints(3, high=9), 5)),
    "bitwise_xor": calls((ints(3, 4, high=9), ints(3, 4, high=9)), (flags(3, 4), flags(4)), (ints(3, high=9), 5)),
    "bitwise_not": calls((ints(3, 4, high=9),), (flags(3, 4),)),
    "bitwise_left_shift": calls((ints(3, 4, high=9), ints(3, 4, high=5)), (ints(3, high=9), 2)),
    "bitwise_right_shift": calls((ints(3, 4, high=90), ints(3, 4, high=5)), (ints(3, high=90), 2)),
    "round": calls(t(3, 4), (t(3, 4), {"decimals": 1}), t()),
    "nan_to_num": calls(t(3, 4), (t(3, 4), 1.0, 2.0, -2.0)),
    "lerp": calls((t(3, 4), t(3, 4), 0.3), (t(3, 4), t(3, 4), t(3, 4)), (t(3, 4), t(4), t(3, 1)), (t(3), t(3), 0.8)),
    "conj": unary(),
    "conj_physical": unary(),
    "angle": unary(low=0.5),
    "real": unary(),
    "imag": calls(t(3, 4, dtype="complex64"), t(dtype="complex64")),
    "prelu": calls((t(2, 3), t(3)), (t(2, 3), t(1)), (t(2, 3, 2), t(3))),
    "threshold": calls((t(3, 4), 0.1, 2.0), (t(3, 4), -0.5, 0.0)),
    "hardshrink": calls(t(3, 4), (t(3, 4), 0.3)),
    "selu": unary(),
    "celu": calls(t(3, 4), (t(3, 4), 0.5)),
    "pow": calls(
        (t(3, 4, low=0.5), t(3, 4)),
        (t(3, 4), 2),
        (t(3, 4), 3),
        (t(3, 4, low=0.5), 0.5),
        (t(3, 4, low=0.5), -1.5),
        (2.0, t(3, 4)),
        (t(3, 4), 0),
        (t(3, 1, low=0.5), t(4)),
        (t(3, 4), 1),
    ),
    "float_power": calls(
        (t(3, 4, low=0.5), t(3, 4)),
        (t(3, 4), 2),
        (2.0, t(3, 4)),
        (t(3, 4, dtype="float64"), 2),
        (t(2, dtype="float64"), t(2)),
    ),
    "_gelu": calls((t(3, 4), "none"), (t(3, 4), "tanh")),
    "_gelu_backward": calls((t(3, 4), t(3, 4), "none"), (t(3, 4), t(3, 4), "tanh")),
    "_hardsigmoid": unary(low=-4.0, high=4.0),
    "_hardswish": unary(low=-4.0, high=4.0),
    "_hardtanh": calls((t(3, 4), -1.0, 1.5), (t(0, 2), -1.0, 1.0)),
    "_leaky_relu": calls((t(3, 4), 0.2), (t(), 0.2)),
    "_leaky_relu_backward": calls((t(3, 4), t(3, 4), 0.2)),
    "_logsigmoid": unary(),
    "_mish": unary(),
    "_silu": unary(),
    "_silu_backward": calls((t(3, 4), t(3, 4))),
    "_softplus": calls((t(3, 4), 1.0, 20.0), (t(3, 4), 2.0, 1.0)),
    "_softshrink": calls((t(3, 4), 0.5)),
    # reductions
    "count_nonzero": calls(t(3, 4), (t(3, 4), 1), (t(2, 3, 4), (0, 2)), grad=False),
    "trace": calls(t(3, 3), t(2, 4)),
    "aminmax": calls(t(3, 4), (t(3, 4), {"dim": 1}), (t(3, 4), {"dim": 0, "keepdim": True})),
    "mode": calls(t(3, 4), ints(3, 4), (ints(3, 4), 0), (ints(3, 4), 1, True)),
    "quantile": calls(
        (t(3, 4), 0.3), (t(3, 4), 0.6, 1), (t(3, 4), 0.5, 0, True), (t(3, 4), 0.3, {"interpolation": "lower"})
    ),
    "nanquantile": calls((t(3, 4), 0.3), (t(3, 4), 0.6, 1)),
    "cov": calls(t(3, 5), t(5), (t(3, 5), {"correction": 0})),
    "corrcoef": calls(t(3, 5), t(5)),
    "dist": calls((t(3, 4), t(3, 4)), (t(3, 4), t(3, 4), 1), (t(3, 4), t(4), 3)),
    # products
    "addmm": calls((t(2, 4), t(2, 3), t(3, 4)), (t(4), t(2, 3), t(3, 4), {"beta": 2, "alpha": 3})),
    "addmv": calls((t(2), t(2, 3), t(3)), (t(2), t(2, 3), t(3), {"beta": 2, "alpha": 3})),
    "baddbmm": calls((t(2, 2, 4), t(2, 2, 3), t(2, 3, 4)), (t(1, 4), t(2, 2, 3), t(2, 3, 4), {"beta": 2, "alpha": 3})),
    "addbmm": calls((t(2, 4), t(5, 2, 3), t(5, 3, 4)), (t(2, 4), t(5, 2, 3), t(5, 3, 4), {"beta": 2, "alpha": 3})),
    "addr": calls((t(2, 3), t(2), t(3)), (t(2, 3), t(2), t(3), {"beta": 2, "alpha": 3})),
    "einsum": calls(
        ("ij,jk->ik", t(2, 3), t(3, 4)),
        ("bij,bjk->bik", t(2, 2, 3), t(2, 3, 2)),
        ("ii->i", t(3, 3)),
        ("ij->", t(2, 3)),
        ("i,j->ij", t(2), t(3)),
        ("...i,...i->...", t(2, 3), t(2, 3)),
    ),
    "tensordot": calls((t(2, 3), t(3, 4), 1), (t(2, 3, 4), t(3, 4, 2), ([1, 2], [0, 1]))),
    "kron": calls((t(2, 3), t(2, 2)), (t(3), t(2))),
    "cross": calls((t(2, 3), t(2, 3), 1), (t(3, 2), t(3, 2), 0)),
    "chain_matmul": calls((t(2, 3), t(3, 4), t(4, 2))),
    "mm": calls((t(2, 3), t(3, 4))),
    "bmm": calls((t(2, 2, 3), t(2, 3, 4))),
    "mv": calls((t(2, 3), t(3))),
    "dot": calls((t(3), t(3))),
    "vdot": calls((t(3), t(3))),
    "outer": calls((t(2), t(3))),
    "inner": calls((t(3), t(3)), (t(2, 3), t(4, 3))),
    "inverse": calls((t(3, 3),), (t(2, 3, 3),)),
    "det": calls((t(3, 3),), (t(2, 3, 3),)),
    "slogdet": calls((t(3, 3),), (t(2, 3, 3),)),
    "logdet": calls((t(3, 3, low=0.5),), grad=False),
    "block_diag": calls((t(2, 3), t(1, 2))),
    "_cholesky": _definite,
    "_eigh": _symmetric,
    "_qr": calls((t(3, 3), False), (t(4, 3), False)),
    "_svd": calls((t(3, 3), False), (t(4, 3), False)),
    "_solve_triangular": _triangular,
    # normalisation and losses
    "layer_norm": calls((t(3, 4), (4,), t(4), t(4)), (t(2, 3, 4), (3, 4)), (t(3, 4), (4,), t(4))),
    "rms_norm": calls((t(3, 4), (4,), t(4)), (t(3, 4), (4,))),
    "group_norm": calls((t(2, 4, 3), 2, t(4), t(4)), (t(2, 4), 2)),
    "batch_norm": calls(
        (*_batch, True, 0.1, 1e-5), (*_batch, False, 0.1, 1e-5), (t(2, 3, 4), None, None, None, None, True, 0.1, 1e-5)
    ),
    "instance_norm": calls((t(2, 3, 4), t(3), t(3), None, None, True, 0.1, 1e-5)),
    "nll_loss_nd": calls((t(3, 4), ints(3, high=4)), (t(3, 4), ints(3, high=4), t(4, low=0.5), "sum", 1)),
    "cross_entropy_loss": calls(
        (t(3, 4), ints(3, high=4)),
        (t(3, 4), ints(3, high=4), t(4, low=0.5), "none", -100, 0.1),
        (t(3, 4), t(3, 4, low=0.0, high=1.0), None, "sum"),
    ),
    # making and asking
    "clone": unary(),
    "contiguous": unary(),
    "is_contiguous": calls(t(2, 3)),
    "detach": calls(t(2, 3), grad=False),
    "zeros": _made,
    "ones": _made,
    "empty": _made,
    "full": calls(((2, 3), 7), ((2,), 0.5), ((), True), grad=False),
    "arange": calls((5,), (1, 4), (1, 2.5, 0.5), (5, 0, -2), (0,), grad=False),
    "linspace": calls((0, 1, 5), (3.0, -1.0, 4), (2, 2, 1), grad=False),
    "logspace": calls((0, 1, 5), (0, 2, 3, 2.0), grad=False),
    "eye": calls((3,), (2, 3), (0,), grad=False),
    "zeros_like": _like,
    "ones_like": _like,
    "empty_like": _like,
    "full_like": calls((t(2, 3), 2), (t(), 0.5), grad=False),
    "is_floating_point": calls(t(2)),
    "is_complex": calls(t(2)),
    "is_signed": calls(t(2)),
    "is_tensor": calls(t(2), (3,)),
    "numel": calls(t(2, 3), t(), t(0, 2)),
    "get_device": calls(t(2)),
    # views and shapes
    "t": calls(t(2, 3), t(3), t()),
    "view_as_real": calls(t(2, 3, dtype="complex64"), t(dtype="complex64")),
    "view_as_complex": calls(t(3, 2), t(2)),
    "view_as": calls((t(2, 3), t(3, 2))),
    "reshape_as": calls((t(2, 3), t(3, 2))),
    "flatten": calls(t(2, 3, 4), (t(2, 3, 4), 1), (t(2, 3, 4), 0, 1), t()),
    "ravel": calls(t(2, 3), t()),
    "unflatten": calls((t(2, 6), 1, (2, 3)), (t(6), 0, (-1, 2))),
    "movedim": calls((t(2, 3, 4), 0, -1), (t(2, 3, 4), (0, 1), (2, 0))),
    "expand_as": calls((t(3, 1), t(3, 4))),
    "broadcast_to": calls((t(3, 1), (2, 3, 4))),
    "broadcast_tensors": calls((t(3, 1), t(4))),
    "atleast_1d": calls(t(), t(3), (t(), t(2))),
    "atleast_2d": calls(t(), t(3), (t(), t(2))),
    "atleast_3d": calls(t(), t(3), t(2, 3)),
    "narrow": calls((t(4, 3), 0, 1, 2), (t(4, 3), -1, 0, 2)),
    "split_with_sizes": calls((t(5, 2), (2, 3)), (t(2, 5), (1, 4), 1)),
    "hsplit": calls((t(4, 6), 3), (t(6), 2), (t(4, 6), (1, 4))),
    "vsplit": calls((t(4, 6), 2)),
    "dsplit": calls((t(2, 3, 4), 2)),
    "select_scatter": calls((t(3, 4), t(4), 0, 1), (t(3, 4), t(3), 1, -1)),
    "slice_scatter": calls((t(5, 3), t(2, 3), 0, 1, 3), (t(3, 6), t(3, 3), 1, 0, 6, 2)),
    "diagonal_scatter": calls((t(3, 4), t(3)), (t(3, 4), t(3), 1)),
    "as_strided_scatter": calls((t(3, 4), t(2, 2), (2, 2), (4, 1), 1)),
    "meshgrid": calls((t(2), t(3), {"indexing": "ij"}), (t(2), t(3), {"indexing": "xy"})),
    "cartesian_prod": calls((t(2), t(3)), (t(2),)),
    "combinations": calls((t(4),), (t(3), 3), (t(3), 2, True)),
    "fliplr": calls((t(2, 3),)),
    "flipud": calls((t(2, 3),), (t(3),)),
    "tile": calls((t(2, 3), (2,)), (t(2, 3), (2, 1, 2))),
    "tril_indices": calls((3, 4), (3, 4, 1), grad=False),
    "triu_indices": calls((3, 4), (3, 4, -1), grad=False),
    "diag": calls((t(3),), (t(3, 4),), (t(3, 4), 1)),
    "diagflat": calls((t(3),), (t(2, 2), 1)),
    "scaled_dot_product_attention": calls(
        (t(2, 3, 4), t(2, 5, 4), t(2, 5, 4)),
        (t(2, 3, 4), t(2, 3, 4), t(2, 3, 4), None, 0.0, True),
        (t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(3, 5)),
    ),
    # indices
    "bincount": calls((ints(9, high=5),), (ints(9, high=5), None, 8), grad=False),
    "nonzero": calls(t(3, 4), ints(3, 4), grad=False),
    "argwhere": calls(t(3, 4), ints(3, 4), grad=False),
    "take_along_dim": calls((t(3, 4), ints(3, 2), 1), (t(3, 4), ints(2, 4), 0)),
    "msort": calls(t(4, 3)),
    "searchsorted": calls(
        (ints(1, low=1, high=2), ints(3, high=3)),
        (ints(1, low=1, high=2), ints(3, high=3), {"right": True}),
        grad=False,
    ),
    "bucketize": calls((t(3, 4, high=1.0), t(1, low=0.9, high=1.0)), grad=False),
    "unique": calls(ints(3, 4), (ints(9), True, True, True), grad=False),
    "unique_consecutive": calls(ints(3, 4), (ints(9), True, True), grad=False),
    "put": calls((t(3, 4), ints(2, low=0, high=5), t(2), True)),
    # randomness: the stream is torch's
    "dropout": calls((t(4, 5), 0.3, True), (t(4, 5), 0.3, False), (t(4, 5), 1.0, True)),
    "feature_dropout": calls((t(2, 5, 3), 0.4, True)),
    "alpha_dropout": calls((t(4, 5), 0.3, True)),
    "feature_alpha_dropout": calls((t(2, 5, 3), 0.4, True)),
    "rand": _made,
    "randn": calls((2, 3), ((40,),), (5, 7), ((),), grad=False),
    "randint": calls((10, (2, 3)), (-5, 5, (20,)), grad=False),
    "randperm": calls((10,), (0,), grad=False),
    "rand_like": _like,
    "randn_like": calls(t(4, 5), t(3), grad=False),
    "randint_like": calls((t(2, 3), 10), (t(20), -3, 3), grad=False),
    "normal": calls((0.0, 1.0, (3, 4)), (t(3, 4), 0.5), (0.5, t(20, low=0.5)), grad=False),
    "bernoulli": calls(t(4, 5, low=0.0, high=1.0), grad=False),
    "multinomial": calls((t(5, low=0.1, high=1.0), 3), (t(2, 5, low=0.1, high=1.0), 8, True), grad=False),
    "poisson": calls(t(4, 5, low=0.5, high=9.0), grad=False),
    "binomial": calls((t(20, low=5.0, high=5.0 + 1e-9), t(20, low=0.1, high=0.9)), grad=False),
}
