"""Questions to a lens against PyTorch's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispatchtorch.tensor import lens as rules
from dispatchtorch.tensor.lens import Lens, contiguous_lens, contiguous_strides, span

GOLDENS = json.loads((Path(__file__).parents[1] / "goldens" / "geometry.json").read_text())
PREDICATES = sorted(GOLDENS["predicates"][0][1])


@pytest.mark.parametrize("name", PREDICATES)
def test_predicates_are_torchs(name: str) -> None:
    answers = set()
    for (shape, strides, offset), expected in GOLDENS["predicates"]:
        lens = Lens(tuple(shape), tuple(strides), offset)
        assert getattr(rules, name)(lens) is expected[name], lens
        answers.add(expected[name])
    assert answers == {True, False}


def test_fresh_strides_are_torchs() -> None:
    for shape, plain, last, last_3d in GOLDENS["strides"]:
        sizes = tuple(shape)
        assert contiguous_strides(sizes) == tuple(plain)
        if last is not None:
            assert rules.channels_last_strides(sizes) == tuple(last)
        if last_3d is not None:
            assert rules.channels_last_3d_strides(sizes) == tuple(last_3d)


def test_a_lens_cannot_be_changed_and_is_a_key() -> None:
    lens = contiguous_lens((2, 3))
    with pytest.raises(AttributeError):
        lens.offset = 1  # type: ignore[misc]  # this is the point
    with pytest.raises(AttributeError):
        lens.name = "x"  # type: ignore[attr-defined]  # this is the point
    assert {lens: 1}[Lens((2, 3), (3, 1), 0)] == 1
    assert lens != Lens((2, 3), (3, 1), 1)


@pytest.mark.parametrize(
    ("lens", "elements"),
    [
        (Lens((), (), 0), 1),
        (Lens((), (), 7), 8),
        (Lens((2, 3), (3, 1), 0), 6),
        (Lens((2, 3), (1, 2), 4), 10),
        (Lens((5,), (0,), 2), 3),
        (Lens((0, 9), (9, 1), 40), 0),
    ],
)
def test_span_is_the_storage_needed(lens: Lens, elements: int) -> None:
    assert span(lens) == elements


def test_an_empty_view_is_contiguous_in_any_order() -> None:
    assert rules.is_contiguous(Lens((3, 0), (1, 3), 0))
    assert not rules.is_contiguous(Lens((3, 2), (1, 3), 0))
    assert rules.is_contiguous(Lens((1, 3), (77, 1), 0))
