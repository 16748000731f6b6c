"""Sizes that are no whole numbers are refused in PyTorch's words, never rounded."""

import pytest

import dispatchtorch as torch


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (("a",), "ones(): argument 'size' (position 1) must be tuple of ints, not str"),
        ((1.5,), "ones(): argument 'size' (position 1) must be tuple of ints, not float"),
        ((None,), "ones(): argument 'size' (position 1) must be tuple of ints, not NoneType"),
        ((2, "a"), 'failed to unpack the object at pos 2 with error "type must be tuple of ints,but got str"'),
        ((2, 2.5), 'failed to unpack the object at pos 2 with error "type must be tuple of ints,but got float"'),
    ],
)
def test_sizes_are_whole_numbers(sizes: tuple[object, ...], words: str) -> None:
    with pytest.raises(TypeError) as caught:
        torch.ones(*sizes)
    assert words in str(caught.value)


def test_what_counts_as_a_size() -> None:
    assert torch.ones(torch.tensor(2), 3).shape == torch.zeros((2, 3)).shape == torch.ones(torch.Size([2, 3])).shape
    assert torch.ones(()).shape == torch.Size([])
