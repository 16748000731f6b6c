"""Where a general law has an exception: op names, each with the reason. Data, read by the kit alone."""

from __future__ import annotations

from typing import Final

__all__ = [
    "COARSE",
    "FIRST",
    "LOOSE",
    "OTHER_METHOD",
    "SIGNLESS",
    "STRICT_INPLACE",
    "SYMMETRIC",
    "TIES",
    "TWICE",
    "UNCALLED_INPLACE",
    "UNDIFFERENCED",
    "UNFITTED_OUT",
    "UNGRADED",
    "UNREFUSED_OUT",
    "VALUELESS",
    "WRITES",
]

VALUELESS: Final = {
    "empty": "the values mean nothing",
    "empty_like": "the values mean nothing",
    "empty_strided": "the values mean nothing",
}
SIGNLESS: Final = {
    "_eigh": "eigenvectors are unique up to a sign, and the gradient follows it: differences check that",
    "linalg_eig": "eigenvectors are unique up to a phase",
    "linalg_eigh": "as _eigh",
    "linalg_svd": "as _svd",
    "svd": "as _svd",
    "_svd": "singular vectors are unique up to a sign, and the gradient follows it: differences check that",
}
SYMMETRIC: Final = {
    "_eigh": "reads one triangle; its derivative is that along symmetric matrices",
    "_cholesky": "reads one triangle; its derivative is that along symmetric matrices",
}
LOOSE: Final = {  # in half precision only: libraries round in between, or not
    "addbmm": "sums of products that cancel",
}
COARSE: Final = {  # the relative error that is allowed, since torch's own values have it
    "_special_bessel_y0": (1e-4, "torch's are exact to seven digits near zeros; ours agree with tables to the last"),
    "_special_bessel_y1": (1e-4, "as _special_bessel_y0"),
    "_standard_gamma_grad": (1e-3, "torch's comes from series that are cut off early; ours is the integral's"),
    "_dirichlet_grad": (1e-3, "as _standard_gamma_grad"),
}
FIRST: Final = {
    "embedding_bag": "the other results are what torch keeps for its backward pass, left empty where it needs them not",
}
TIES: Final = {
    "kthvalue": "which of several equal integers is found is not defined",
    "topk": "which of several equal integers is found is not defined",
    "mode": "which of several equal integers is found is not defined",
    "sort": "the order of equal integers is not defined unless stable=True",
    "argsort": "the order of equal integers is not defined unless stable=True",
    "msort": "the order of equal integers is not defined",
}
UNCALLED_INPLACE: Final = {
    "bernoulli": "bernoulli_(p) fills with draws of probability p; bernoulli(input) draws with probability input",
    "normal": "normal_(mean, std) fills; normal(mean, std) makes",
    "where": "Tensor.where_ does not exist in torch",
}
STRICT_INPLACE: Final = {"float_power": "refuses a tensor that is not of the result's very dtype, as torch does"}
OTHER_METHOD: Final = {
    "where": "x.where(condition, y) chooses x: the arguments stand in another order",
    "normal": "there is no Tensor.normal",
}
UNREFUSED_OUT: Final = {
    "bernoulli": "draws are written into any dtype, in torch too",
    **dict.fromkeys(("cumsum", "cumprod", "sum", "prod"), "computed in the dtype of out=, in torch too"),
    **dict.fromkeys(
        ("arange", "empty", "eye", "full", "linspace", "logspace", "ones", "range", "zeros"),
        "made in the dtype of out=, in torch too",
    ),
}
UNFITTED_OUT: Final = {"normal": "beside a number torch fills the tensor that it was given, and does not resize it"}
UNDIFFERENCED: Final = {
    "cholesky_inverse": "torch's gradient of a factor has both triangles, of which only one is read",
    "cholesky_solve": "as cholesky_inverse",
    "embedding/1": "padding_idx leaves out a row's gradient on purpose",
    "bernoulli": "a draw has no derivative",
    "ctc_loss": "torch's gradient is that of the log softmax which has to come before it",
}
UNGRADED: Final = {
    "as_strided_scatter": "torch 2.13 sends the gradient to the elements that were replaced; differences check ours",
}
TWICE: Final[dict[str, str]] = {}  # a second derivative that differences cannot see
WRITES: Final = {
    "batch_norm": "the running statistics are moved",
    "instance_norm": "the running statistics are moved",
}
