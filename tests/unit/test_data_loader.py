"""Batches in torch's order, made by torch's rules; literals are PyTorch's own for the same seeds."""

import warnings
from collections import namedtuple

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

Pair = namedtuple("Pair", "first second")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class Squares(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, i):
        return torch.tensor([i, i * i]), f"n{i}"


class Row(IterableDataset):
    def __iter__(self):
        return iter(range(7))

    def __len__(self):
        return 7


def lists(loader):
    return [batch.tolist() for batch in loader]


def test_a_shuffled_pass_has_torchs_order():
    loader = DataLoader(range(8), 3, shuffle=True)
    assert lists(loader) == [[2, 0, 5], [3, 1, 4], [7, 6]]
    assert lists(loader) == [[0, 3, 7], [1, 6, 2], [5, 4]]
    assert round(torch.rand(1).item(), 4) == 0.4556
    assert len(loader) == 3


def test_a_generator_given_to_the_loader_is_used_and_advanced():
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(range(8), 3, shuffle=True, generator=generator)
    assert lists(loader) == [[5, 3, 1], [7, 2, 6], [4, 0]]
    assert lists(loader) == [[2, 3, 4], [7, 1, 0], [6, 5]]
    assert round(torch.rand(1, generator=generator).item(), 4) == 0.1759


def test_whole_batches_of_tensors_equal_stacked_samples():
    data = TensorDataset(torch.arange(11), torch.rand(11, 2))
    cases = [{"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_sampler": [[0, -1], [3]]}]
    for options in cases:
        quick = DataLoader(data, **options)
        slow = DataLoader(data, **options, collate_fn=lambda samples: default_collate(samples))
        for a, b in zip(quick, slow, strict=True):
            assert type(a) is list
            assert [t.tolist() for t in a] == [t.tolist() for t in b]
            assert [t.dtype for t in a] == [t.dtype for t in b]
    subset = DataLoader(Subset(data, [7, 3, 5]), 2)
    assert [a.tolist() for a, _ in subset] == [[7, 3], [5]]
    with pytest.raises(IndexError):
        list(DataLoader(data, batch_sampler=[[0, 11]]))


def test_batches_do_not_alias_the_data():
    x = torch.zeros(4)
    (batch,) = next(iter(DataLoader(TensorDataset(x), 4)))
    batch.add_(1)
    assert x.tolist() == [0, 0, 0, 0]


def test_samples_are_joined_by_their_kind():
    numbers, names = next(iter(DataLoader(Squares(), 2)))
    assert numbers.tolist() == [[0, 0], [1, 1]]
    assert names == ("n0", "n1")
    assert default_collate([1.5, 2.0]).dtype is torch.float64
    assert default_collate([np.float32(1), np.float32(2)]).dtype is torch.float32
    assert default_collate([True, False]).dtype is torch.bool
    pair = default_collate([Pair(1, "a"), Pair(2, "b")])
    assert type(pair) is Pair
    assert (pair.first.tolist(), pair.second) == ([1, 2], ("a", "b"))
    assert default_collate([{"k": np.ones(2)}] * 2)["k"].tolist() == [[1, 1], [1, 1]]
    assert default_convert((np.arange(2), "a"))[0].tolist() == [0, 1]
    assert default_convert(np.uint16(3)).dtype is torch.uint16
    with pytest.warns(FutureWarning, match="`cummulative_sizes` attribute is renamed to `cumulative_sizes`"):
        assert ConcatDataset([range(2), range(3)]).cummulative_sizes == [2, 5]
    with pytest.raises(TypeError, match="Can't instantiate abstract class IterableDataset"):
        IterableDataset()


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([[1, 2], [3]], RuntimeError, "each element in list of batch should be of equal size"),
        (
            [None],
            TypeError,
            "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
            "<class 'NoneType'>",
        ),
        (
            [np.array(["a"])],
            TypeError,
            "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found <U1",
        ),
    ],
)
def test_what_cannot_be_joined(batch, error, message):
    with pytest.raises(error) as caught:
        default_collate(batch)
    assert str(caught.value) == message


def test_data_in_a_row():
    assert lists(DataLoader(Row(), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert lists(DataLoader(Row(), 3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    assert list(DataLoader(Row(), None)) == list(range(7))
    assert len(DataLoader(Row(), 3)) == 3
    assert list(Row() + Row()) == [*range(7), *range(7)]
    loader = DataLoader(Row(), 1)
    loader.dataset.__class__ = type("Short", (Row,), {"__len__": lambda self: 2})
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)


def test_samplers_draw_what_torch_draws():
    assert list(RandomSampler(range(5), True, 40)) == [int(c) for c in "1043402341301400330014023342222441333234"]
    assert list(SubsetRandomSampler([3, 5, 7])) == [7, 5, 3]
    assert list(WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0], 4)) == [4, 4, 4, 4]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, True)) == 2


def test_data_sets_are_joined_and_split():
    both = ConcatDataset([range(3), range(10, 12)])
    assert [both[i] for i in range(-5, 5)] == [0, 1, 2, 10, 11] * 2
    assert StackDataset(a=range(3), b="xyz")[1] == {"a": 1, "b": "y"}
    assert StackDataset(range(3), "xyz").__getitems__([2, 0]) == [(2, "z"), (0, "x")]
    parts = random_split(range(10), [0.5, 0.25, 0.25], torch.Generator().manual_seed(0))
    assert [list(part) for part in parts] == [[4, 1, 7, 5, 3, 9], [0, 8], [6, 2]]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        random_split(range(1), [0.5, 0.5])
    assert [str(w.message) for w in seen] == ["Length of split at index 1 is 0. This might result in an empty dataset."]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: DataLoader(d, num_workers=-1), ValueError, "num_workers option should be non-negative; "),
        (lambda d: DataLoader(d, shuffle=True, sampler=[1]), ValueError, "sampler option is mutually exclusive with"),
        (lambda d: DataLoader(d, 2, batch_sampler=[[1]]), ValueError, "batch_sampler option is mutually exclusive"),
        (lambda d: DataLoader(d, None, drop_last=True), ValueError, "batch_size=None option disables auto-batching"),
        (lambda d: DataLoader(d, 0), ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
        (lambda d: DataLoader([], shuffle=True), ValueError, "num_samples should be a positive integer value, but got"),
        (lambda d: DataLoader(Row(), shuffle=True), ValueError, "expected unspecified shuffle option, but got shuffle"),
        (lambda d: setattr(DataLoader(d), "sampler", 1), ValueError, "sampler attribute should not be set after"),
        (lambda d: random_split(d, [1, 1]), ValueError, "Sum of input lengths does not equal the length of the input"),
        (lambda d: TensorDataset(torch.ones(2), torch.ones(3)), AssertionError, "Size mismatch between tensors"),
        (lambda d: ConcatDataset([]), AssertionError, "datasets should not be an empty iterable"),
        (lambda d: list(ChainDataset([d])), AssertionError, "ChainDataset only supports IterableDataset"),
        (lambda d: Dataset()[0], NotImplementedError, "Subclasses of Dataset should implement __getitem__."),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call(range(3))
    assert message in str(caught.value)


def test_a_subset_that_changes_one_way_of_reading_must_change_both():
    class Half(Subset):
        def __getitem__(self, i):
            return super().__getitem__(i) / 2

    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        Half(range(3), [0])


def test_all_is_loaded_in_the_main_process():
    assert get_worker_info() is None
