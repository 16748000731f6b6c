"""View geometry against PyTorch's answers: shapes, strides, offsets, exception types and sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dispatchtorch.tensor import geometry
from dispatchtorch.tensor.lens import Lens, contiguous_lens, contiguous_strides

GOLDENS = json.loads((Path(__file__).parents[1] / "goldens" / "geometry.json").read_text())


def to_lens(facts: list[Any]) -> Lens:
    return Lens(tuple(facts[0]), tuple(facts[1]), facts[2])


def decode(item: Any) -> Any:
    if item == "...":
        return Ellipsis
    return slice(*item["slice"]) if isinstance(item, dict) else item


def answer(name: str, lens: Lens, arguments: list[Any]) -> Any:
    """Our answer in the golden's form."""
    try:
        if name == "basic_index":
            out: Any = geometry.basic_index(lens, tuple(decode(item) for item in arguments[0]))
        elif name == "as_strided":
            out = geometry.as_strided(lens, *arguments, capacity=GOLDENS["capacity"])
        elif name in ("flatten_shape", "unflatten_shape"):
            shape = getattr(geometry, name)(lens.shape, *arguments)
            kept = name == "flatten_shape" and shape == lens.shape
            out = lens if kept else geometry.reshape_geometry(lens, shape)
            if out is None:
                return {"copy": list(shape)} if name == "flatten_shape" else answer("view", lens, [shape])
        else:
            out = getattr(geometry, name)(lens, *arguments)
    except Exception as error:
        return {"error": [type(error).__name__, str(error)]}
    if out is None:
        return {"copy": list(geometry.infer_shape(arguments[0], geometry.numel(lens.shape)))}
    if isinstance(out, Lens):
        return [list(out.shape), list(out.strides), out.offset]
    return [[list(piece.shape), list(piece.strides), piece.offset] for piece in out]


@pytest.mark.parametrize("name", sorted(GOLDENS["ops"]))
def test_every_call_gives_torchs_facts_or_sentence(name: str) -> None:
    wrong = []
    for facts, arguments, expected in GOLDENS["ops"][name]:
        got = answer(name, to_lens(facts), arguments)
        if got != expected:
            wrong.append((facts, arguments, "torch:", expected, "ours:", got))
    assert not wrong, f"{len(wrong)} of {len(GOLDENS['ops'][name])}, the first: {wrong[0]}"


@pytest.mark.parametrize("name", sorted(GOLDENS["ops"]))
def test_the_goldens_hold_right_calls_and_wrong_ones(name: str) -> None:
    errors = sum(isinstance(row[2], dict) and "error" in row[2] for row in GOLDENS["ops"][name])
    assert 0 < errors < len(GOLDENS["ops"][name])


def test_broadcasting_gives_torchs_shape_or_sentence() -> None:
    for shapes, expected in GOLDENS["broadcast"]:
        try:
            got: Any = list(geometry.broadcast_shapes(*map(tuple, shapes)))
        except RuntimeError as error:
            got = {"error": [type(error).__name__, str(error)]}
        assert got == expected, shapes


def test_broadcasting_nothing_is_a_scalar() -> None:
    assert geometry.broadcast_shapes() == ()
    assert geometry.broadcast_shapes((2, 3)) == (2, 3)


X = contiguous_lens((2, 3))
SCALAR = contiguous_lens(())


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: geometry.basic_index(X, (0, 0, 0)), IndexError, "too many indices for tensor of dimension 2"),
        (lambda: geometry.basic_index(X, (5,)), IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda: geometry.basic_index(X, (-3,)), IndexError, "index -3 is out of bounds for dimension 0 with size 2"),
        (lambda: geometry.basic_index(X, (0, -4)), IndexError, "index -4 is out of bounds for dimension 1 with size 3"),
        (lambda: geometry.basic_index(X, (None, None, 5)), IndexError, "index 5 is out of bounds for dimension 2 with size 2"),  # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(X, (slice(None, None, -1),)), ValueError, "step must be greater than zero"),
        (lambda: geometry.basic_index(X, (slice(None, None, 0),)), ValueError, "slice step cannot be zero"),
        (lambda: geometry.basic_index(X, (slice(0, 1.5),)), TypeError, "slice indices must be integers or None or have an __index__ method"),  # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(X, (2**63,)), ValueError, "Overflow when unpacking long long"),
        (lambda: geometry.basic_index(X, (1.5,)), IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got float)"),  # type: ignore[arg-type] # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(SCALAR, (0,)), IndexError, "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"),  # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(SCALAR, (5,)), IndexError, "index 5 is out of bounds for dimension 0 with size 0"),  # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(SCALAR, (slice(None),)), IndexError, "slice() cannot be applied to a 0-dim tensor."),  # noqa: E501 - torch's sentence
        (lambda: geometry.basic_index(SCALAR, (0, None)), IndexError, "too many indices for tensor of dimension 0"),
        (lambda: geometry.wrap_dim(5, 2), IndexError, "Dimension out of range (expected to be in range of [-2, 1], but got 5)"),  # noqa: E501 - torch's sentence
        (lambda: geometry.wrap_dim(1, 0), IndexError, "Dimension out of range (expected to be in range of [-1, 0], but got 1)"),  # noqa: E501 - torch's sentence
        (lambda: geometry.wrap_dims((0, -2), 2), RuntimeError, "dim 0 appears multiple times in the list of dims"),
        (lambda: geometry.view(contiguous_lens((5,)), (2, 3)), RuntimeError, "shape '[2, 3]' is invalid for input of size 5"),  # noqa: E501 - torch's sentence
        (lambda: geometry.expand(X, (3,), "torch.LongTensor"), RuntimeError, "expand(torch.LongTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to the number of dimensions in the tensor (2)"),  # noqa: E501 - torch's sentence
        (lambda: geometry.as_strided(X, (2,), (1,), -1), RuntimeError, "Tensor: invalid storage offset -1"),
        (lambda: geometry.broadcast_shapes((3,), (4,)), RuntimeError, "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"),  # noqa: E501 - torch's sentence
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_torchs_words(call: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == sentence


def test_a_shape_may_come_as_a_list_and_leaves_as_a_tuple() -> None:
    assert geometry.view(X, [3, -1]) == Lens((3, 2), (2, 1), 0)
    assert type(geometry.view(X, [3, -1]).shape) is tuple
    assert geometry.wrap_dims([-1, 0], 2) == (1, 0)


def test_numpy_integers_are_indices() -> None:
    np = pytest.importorskip("numpy")
    assert geometry.basic_index(X, (np.int64(1), np.int32(-1))) == Lens((), (), 5)


def test_views_without_a_change_keep_the_lens() -> None:
    assert geometry.transpose(X, 0, 0) is X
    assert geometry.squeeze(X) is X
    assert geometry.t(SCALAR) is SCALAR
    assert geometry.basic_index(X, (Ellipsis,)) == X
    assert X.strides == contiguous_strides((2, 3))
