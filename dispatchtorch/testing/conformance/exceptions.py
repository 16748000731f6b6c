"""Where a general law has an exception: op names, each with the reason. Data, read by the checks and by nothing else."""

from __future__ import annotations

from typing import Final

__all__ = [
    "LOOSE",
    "OTHER_METHOD",
    "SIGNLESS",
    "TIES",
    "TWICE",
    "UNCALLED_INPLACE",
    "UNDIFFERENCED",
    "UNREFUSED_OUT",
    "VALUELESS",
    "WRITES",
]

VALUELESS: Final = {
    "empty": "the values mean nothing",
    "empty_like": "the values mean nothing",
    "empty_strided": "the values mean nothing",
}
SIGNLESS: Final[dict[str, str]] = {}  # vectors that are unique up to a sign
LOOSE: Final[dict[str, str]] = {}  # ill-conditioned: libraries may differ by more than rounding
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
OTHER_METHOD: Final = {
    "where": "x.where(condition, y) chooses x: the arguments stand in another order",
    "normal": "there is no Tensor.normal",
}
UNREFUSED_OUT: Final = {"bernoulli": "draws are written into any dtype, in torch too"}
UNDIFFERENCED: Final = {
    "embedding": "padding_idx leaves out a row's gradient on purpose",
    "bernoulli": "a draw has no derivative",
}
TWICE: Final[dict[str, str]] = {}  # a second derivative that differences cannot see
WRITES: Final = {
    "batch_norm": "the running statistics are moved",
    "instance_norm": "the running statistics are moved",
}
