"""finfo and iinfo print and hold what PyTorch's do."""

from __future__ import annotations

import pytest

import dispatchtorch as torch

FLOATS = {
    "float16": "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, "
    "tiny=6.10352e-05, dtype=float16)",
    "bfloat16": "finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125, smallest_normal=1.17549e-38, "
    "tiny=1.17549e-38, dtype=bfloat16)",
    "float32": "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
    "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)",
    "float64": "finfo(resolution=1e-15, min=-1.79769e+308, max=1.79769e+308, eps=2.22045e-16, "
    "smallest_normal=2.22507e-308, tiny=2.22507e-308, dtype=float64)",
}


@pytest.mark.parametrize("name", FLOATS)
def test_limits_of_floating_types(name):
    assert repr(torch.finfo(getattr(torch, name))) == FLOATS[name]


def test_limits_of_complex_types_are_those_of_their_parts():
    assert torch.finfo(torch.complex128) == torch.finfo(torch.float64)


def test_limits_of_integers():
    info = torch.iinfo(torch.int64)
    assert (info.min, info.max, info.bits) == (-(2**63), 2**63 - 1, 64)
    assert torch.iinfo(torch.uint8).min == 0


def test_the_wrong_kind_is_refused_in_torchs_odd_words():
    with pytest.raises(TypeError) as caught:
        torch.finfo(torch.int32)
    wanted = "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
    assert str(caught.value) == wanted
    with pytest.raises(TypeError) as caught:
        torch.iinfo(torch.float32)
    assert str(caught.value) == "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"


def test_special_has_other_names_for_some_ops():
    x = torch.tensor([0.5, 2.0])
    assert torch.special.expit(x).tolist() == torch.sigmoid(x).tolist()
    assert torch.special.psi(x).tolist() == torch.digamma(x).tolist()
    with pytest.raises(AttributeError, match=r"torch\.special"):
        torch.special.no_such_function  # noqa: B018 - looking is the test
