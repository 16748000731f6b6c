"""The lens laws of views over immutable arrays, on random chains of view ops, beside numpy's own strided views."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from dispatchtorch.plugin import aliasing
from dispatchtorch.plugin.aliasing import StridedView
from dispatchtorch.tensor import geometry
from dispatchtorch.tensor.lens import Lens, contiguous_lens, has_internal_overlap


def copy_and_assign(array: np.ndarray, index: Any, value: np.ndarray) -> np.ndarray:
    out = array.copy()
    out[index] = value
    return out


@st.composite
def chains(draw: st.DrawFn, steps: int = 4) -> tuple[tuple[int, ...], Lens]:
    """A storage's shape and a view of it, made by up to `steps` view ops."""
    shape = tuple(draw(st.lists(st.integers(1, 5), max_size=4)))
    lens = contiguous_lens(shape)
    for _ in range(draw(st.integers(0, steps))):
        lens = draw(st.sampled_from(MOVES))(draw, lens)
    return shape, lens


def reshaped(draw: st.DrawFn, lens: Lens) -> Lens:
    count = geometry.numel(lens.shape)
    wide = [(d, count // d) for d in range(1, count + 1) if count % d == 0] if count else [(0, 3)]
    return geometry.reshape_geometry(lens, draw(st.sampled_from([*wide, (count,)]))) or lens


def permuted(draw: st.DrawFn, lens: Lens) -> Lens:
    return geometry.permute(lens, draw(st.permutations(range(len(lens.shape)))))


def subscripted(draw: st.DrawFn, lens: Lens) -> Lens:
    items: list[Any] = []
    for size in lens.shape:
        options = [st.slices(size).filter(lambda s: s.step is None or s.step > 0), st.just(slice(None)), st.none()]
        item = draw(st.one_of(*options, *([st.integers(0, size - 1)] if size else [])))
        items += [None, slice(None)] if item is None else [item]
    return geometry.basic_index(lens, tuple(items))


def diagonal(draw: st.DrawFn, lens: Lens) -> Lens:
    if len(lens.shape) < 2:
        return geometry.unsqueeze(lens, draw(st.integers(0, len(lens.shape))))
    dims = draw(st.permutations(range(len(lens.shape))))
    return geometry.diagonal(lens, draw(st.integers(-2, 2)), dims[0], dims[1])


def expanded(draw: st.DrawFn, lens: Lens) -> Lens:
    return geometry.expand(lens, (draw(st.integers(1, 3)), *lens.shape)) if len(lens.shape) < 5 else lens


def windows(draw: st.DrawFn, lens: Lens) -> Lens:
    if not lens.shape or len(lens.shape) > 4:
        return lens
    dim = draw(st.integers(0, len(lens.shape) - 1))
    return geometry.unfold(lens, dim, draw(st.integers(0, lens.shape[dim])), draw(st.integers(1, 3)))


MOVES: list[Callable[[st.DrawFn, Lens], Lens]] = [reshaped, permuted, subscripted, diagonal, expanded, windows]


def on_numpy(view: StridedView, base: np.ndarray) -> tuple[Any, Any]:
    return partial(view.get, np), lambda base, value: view.put(np, base, value, copy_and_assign)


def on_jax(view: StridedView, base: np.ndarray) -> tuple[Any, Any]:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    get = jax.jit(partial(view.get, jnp))
    put = jax.jit(lambda base, value: view.put(jnp, base, value, lambda a, i, v: a.at[i].set(v)))
    return (lambda base: np.asarray(get(base))), (lambda base, value: np.asarray(put(base, value)))


def numpy_view(base: np.ndarray, lens: Lens) -> np.ndarray:
    """numpy's own view of the same elements of a flat buffer."""
    start = base.reshape(-1)[lens.offset if 0 not in lens.shape else 0 :]
    return as_strided(start, lens.shape, [step * base.itemsize for step in lens.strides])


def is_injective(lens: Lens) -> bool:
    positions = numpy_view(np.arange(2000), lens)
    return len(np.unique(positions)) == positions.size


def check_laws(library: Any, shape: tuple[int, ...], lens: Lens) -> None:
    base = np.arange(prod(shape), dtype=np.float32).reshape(shape)
    view = StridedView(*lens)
    get, put = library(view, base)
    expected = numpy_view(base, lens)

    assert get(base).shape == lens.shape
    np.testing.assert_array_equal(get(base), expected)  # it reads what numpy's strides read
    same = put(base, get(base))
    assert same.shape == base.shape
    assert same.dtype == base.dtype
    np.testing.assert_array_equal(same, base)  # put(get) changes nothing

    first = -np.arange(1, expected.size + 1, dtype=np.float32).reshape(lens.shape)
    second = first - 1000
    if has_internal_overlap(lens):
        return
    written = base.copy()
    target = numpy_view(written, lens)
    for index in np.ndindex(*lens.shape):
        target[index] = first[index]
    np.testing.assert_array_equal(put(base, first), written)  # it writes the elements of the view, and no others
    np.testing.assert_array_equal(put(put(base, second), first), put(base, first))  # the last write counts
    if is_injective(lens):
        np.testing.assert_array_equal(get(put(base, first)), first)  # what was put is what one gets


@settings(max_examples=200, deadline=None)
@given(chains())
def test_lens_laws_on_numpy(case: tuple[tuple[int, ...], Lens]) -> None:
    check_laws(on_numpy, *case)


@settings(max_examples=25, deadline=None)
@given(chains())
def test_lens_laws_on_jax_jitted(case: tuple[tuple[int, ...], Lens]) -> None:
    check_laws(on_jax, *case)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=3),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_lens_laws_on_arbitrary_strides(dims: list[tuple[int, int]], offset: int, room: int) -> None:
    lens = Lens(tuple(size for size, _ in dims), tuple(stride for _, stride in dims), offset)
    last = offset + sum((size - 1) * stride for size, stride in dims if size)
    check_laws(on_numpy, (last + 1 + room,), lens)


@pytest.mark.parametrize(
    ("count", "lens", "path"),
    [
        (6, Lens((2, 3), (3, 1), 0), "_Piece"),
        (6, Lens((), (), 5), "_Piece"),
        (12, Lens((2, 1, 3), (3, 77, 1), 6), "_Piece"),
        (12, Lens((5, 3), (0, 1), 3), "_Piece"),
        (6, Lens((3, 2), (1, 3), 0), "_Box"),
        (24, Lens((2, 4), (12, 1), 4), "_Box"),
        (6, Lens((2, 2), (3, 2), 0), "_Box"),
        (9, Lens((3,), (4,), 0), "_Box"),
        (10, Lens((2, 3), (4, 1), 0), "_Box"),
        (5, Lens((4, 2), (1, 1), 0), "_Scattered"),
    ],
)
def test_common_views_need_no_index_table(count: int, lens: Lens, path: str) -> None:
    assert type(aliasing._plan(StridedView(*lens), count)).__name__ == path
    check_laws(on_numpy, (count,), lens)


@pytest.mark.parametrize("lens", [Lens((2, 3), (3, 1), 1), Lens((7,), (1,), 0), Lens((), (), -1), Lens((2,), (-1,), 3)])
def test_a_view_beyond_its_storage_is_refused(lens: Lens) -> None:
    view = StridedView(*lens)
    with pytest.raises(ValueError, match="does not fit in a storage of 6 elements"):
        view.get(np, np.arange(6))
    with pytest.raises(ValueError, match="does not fit in a storage of 6 elements"):
        view.put(np, np.arange(6), np.zeros(lens.shape), copy_and_assign)


def test_a_value_is_cast_and_broadcast() -> None:
    base = np.arange(6, dtype=np.int64).reshape(2, 3)
    whole = StridedView((2, 3), (3, 1), 0).put(np, base, np.float32(7.9), copy_and_assign)
    assert whole.dtype == np.int64
    assert whole.tolist() == [[7, 7, 7], [7, 7, 7]]
    column = StridedView((2,), (3,), 1).put(np, base, np.asarray([9.0]), copy_and_assign)
    assert column.tolist() == [[0, 9, 2], [3, 9, 5]]


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        StridedView((2,), (3,), 1).put(np, np.arange(6), np.arange(3), copy_and_assign)


def test_the_storage_that_was_read_stays_as_it_was() -> None:
    base = np.arange(6)
    StridedView((3,), (2,), 0).put(np, base, np.zeros(3, base.dtype), copy_and_assign)
    assert base.tolist() == [0, 1, 2, 3, 4, 5]


def test_writing_where_elements_overlap_keeps_the_last() -> None:
    out = StridedView((2, 2), (1, 1), 0).put(np, np.zeros(4), np.asarray([[1.0, 2.0], [3.0, 4.0]]), copy_and_assign)
    assert out.tolist() == [1, 3, 4, 0]


def test_a_repeated_dimension_writes_its_first_index() -> None:
    out = StridedView((3, 2), (0, 1), 1).put(np, np.zeros(4), np.full((3, 2), 5.0), copy_and_assign)
    assert out.tolist() == [0, 5, 5, 0]
