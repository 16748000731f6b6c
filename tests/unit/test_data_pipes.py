"""Pipes and shares of places; literals are PyTorch's own for the same seeds."""

import warnings
from collections.abc import Iterator

import pytest

import dispatchtorch as torch
from dispatchtorch.utils.data import (
    DataChunk,
    DataLoader,
    DistributedSampler,
    IterDataPipe,
    argument_validation,
    functional_datapipe,
    guaranteed_datapipes_determinism,
    non_deterministic,
    runtime_validation,
    runtime_validation_disabled,
)
from dispatchtorch.utils.data.datapipes.iter import IterableWrapper
from dispatchtorch.utils.data.datapipes.map import SequenceWrapper

EXPECTED = {
    0: [[[0, 5, 6, 3], [7, 1, 2, 4]], [[6, 5, 7, 3], [0, 2, 4, 1]], 0.4556],
    2: [[[0, 6, 7, 2], [5, 3, 1, 4]], [[0, 6, 3, 4], [2, 5, 7, 1]], 0.0223],
}  # by number of workers: two passes, and what is drawn next


class Words(IterDataPipe[int]):
    def __init__(self, items):
        self.items = items

    @runtime_validation
    def __iter__(self) -> Iterator[int]:
        yield from self.items


def test_pipes_are_put_together_by_calls():
    numbers = IterableWrapper(range(8))
    squares = numbers.map(lambda x: x * x).filter(lambda x: x % 2 == 0)
    assert list(squares.batch(3)) == [[0, 4, 16], [36]]
    assert type(next(iter(squares.batch(3)))) is DataChunk
    assert len(numbers.batch(3)) == 3
    assert str(squares) == "FilterIterDataPipe"
    assert list(numbers.batch(2).batch(2).unbatch(-1)) == list(range(8))
    assert list(numbers.groupby(lambda x: x % 2, group_size=3)) == [[0, 2, 4], [1, 3, 5], [6], [7]]
    letters = IterableWrapper("abc")
    assert list(letters.zip(IterableWrapper("de"))) == [("a", "d"), ("b", "e")]
    assert list(letters.mux(IterableWrapper("de"))) == ["a", "d", "b", "e"]
    assert list(letters.concat(IterableWrapper("de"))) == list("abcde")
    assert list(IterableWrapper([(1, 2)]).map(lambda x: x + 1, input_col=1, output_col=-1)) == [(1, 2, 3)]
    places = SequenceWrapper(range(6)).map(lambda x: x * 2)
    assert places.batch(4)[1] == [8, 10]
    assert len(places.concat(places)) == 12
    assert places.zip(places)[1] == (2, 2)


def test_a_pipe_has_one_iterator():
    numbers = IterableWrapper([1, 2, 3])
    first = iter(numbers)
    assert next(first) == 1
    assert next(iter(numbers)) == 1
    with pytest.raises(
        RuntimeError, match="This iterator has been invalidated because another iterator has been created"
    ):
        next(first)
    with pytest.raises(AttributeError, match="'IterableWrapperIterDataPipe' object has no attribute 'nothing"):
        _ = numbers.nothing
    with pytest.raises(
        ZeroDivisionError, match=r"This exception is thrown by __iter__ of MapperIterDataPipe\(datapipe="
    ):
        list(numbers.map(lambda x: x // 0))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_seed_and_share_pipes_as_torch_does(workers):
    torch.manual_seed(0)
    pipe = IterableWrapper(range(8)).shuffle().sharding_filter()
    loader = DataLoader(pipe, 4, shuffle=True, num_workers=workers)
    found = [[b.tolist() for b in loader] for _ in range(2)]
    assert found == EXPECTED[workers][:2]
    assert round(torch.rand(1).item(), 4) == EXPECTED[workers][2]
    still = DataLoader(pipe, 4, shuffle=False, num_workers=workers)
    assert sorted(x for b in still for x in b.tolist()) == list(range(8))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        DataLoader(IterableWrapper([1]), shuffle=True)
    assert "does not contain a `Shuffler`" in str(seen[-1].message)


def test_types_are_kept_to():
    with pytest.raises(RuntimeError, match=r"Expected an instance as subtype of int, but found a\(<class 'str'>\)"):
        list(Words([1, "a"]))
    with runtime_validation_disabled():
        assert list(Words([1, "a"])) == [1, "a"]

    @argument_validation
    def use(dp: IterDataPipe[str]):
        return dp

    with pytest.raises(TypeError, match="Expected type of argument 'dp' as a subtype of hint str, but found int"):
        use(Words([]))
    with pytest.raises(TypeError, match="Expected argument 'dp' as a IterDataPipe, but found <class 'int'>"):
        use(3)


def test_determinism_can_be_asked_for():
    @non_deterministic
    class Sometimes(Words):
        pass

    assert list(Sometimes([3])) == [3]
    with (
        guaranteed_datapipes_determinism(),
        pytest.raises(TypeError, match="is non-deterministic, but you set 'guarant"),
    ):
        Sometimes([3])

    @functional_datapipe("tripled_here")
    class Tripled(IterDataPipe):
        def __init__(self, source):
            self.source = source

        def __iter__(self):
            for x in self.source:
                yield 3 * x

    assert list(Words([1, 2]).tripled_here()) == [3, 6]
    with pytest.raises(Exception, match="Unable to add DataPipe function name tripled_here as it is already taken"):
        functional_datapipe("tripled_here")(Tripled)


def test_shares_of_places():
    def shares(**options):
        return [list(DistributedSampler(range(11), 3, rank, **options)) for rank in range(3)]

    assert shares() == [[10, 3, 2, 7], [0, 5, 1, 6], [4, 8, 9, 10]]
    assert shares(drop_last=True) == [[10, 3, 2], [0, 5, 1], [4, 8, 9]]
    assert shares(shuffle=False) == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 0]]
    sampler = DistributedSampler(range(11), 3, 0, seed=3)
    sampler.set_epoch(2)
    assert list(sampler) == [9, 8, 3, 1]
    assert len(sampler) == 4
    with pytest.raises(ValueError, match=r"Invalid rank 2, rank should be in the interval \[0, 1\]"):
        DistributedSampler(range(3), 2, 2)
