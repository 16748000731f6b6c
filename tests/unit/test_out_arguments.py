"""What ``out=`` refuses, resizes and leaves alone, where the op table's samples do not look."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import dispatchtorch

torch: Any = dispatchtorch  # calls that the stubs forbid are what is tested

WRITTEN_TWICE = "more than one element of the written-to tensor refers to a single memory location"
SHARED = "some elements of the input tensor and the written-to tensor refer to a single memory location"


def told(call: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in found]


def test_internal_overlap_is_refused() -> None:
    x = torch.tensor([1.0, 2.0, 3.0])
    calls: tuple[Any, ...] = (
        lambda o: torch.add(x, 1, out=o),
        lambda o: torch.sin(x, out=o),
        lambda o: torch.gather(x, 0, torch.tensor([0, 1, 2]), out=o),
        lambda o: torch.bernoulli(torch.tensor([0.5, 0.5, 0.5]), out=o),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match=WRITTEN_TWICE):
            call(torch.zeros(1).expand(3))


def test_partial_overlap_with_an_input_is_refused_and_the_same_elements_are_not() -> None:
    x = torch.arange(5.0)
    with pytest.raises(RuntimeError, match=SHARED):
        torch.add(x[:4], 1, out=x[1:])
    assert x.tolist() == [0, 1, 2, 3, 4]
    torch.add(x, 1, out=x)
    assert x.tolist() == [1, 2, 3, 4, 5]


def test_some_ops_need_an_output_of_its_own() -> None:
    x = torch.zeros(3)
    with pytest.raises(RuntimeError, match=SHARED):
        torch.cat([x, x], out=x)
    with pytest.raises(RuntimeError, match=SHARED):
        torch.take(x, torch.tensor([0, 1, 2]), out=x)
    with pytest.raises(RuntimeError, match=SHARED):
        torch.kthvalue(x, 2, out=(x, torch.tensor(0)))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x, o: torch.gather(x, 0, torch.tensor([0]), out=o), "Expected out tensor to have dtype float, but got"),
        (lambda x, o: torch.amax(x, 0, out=o), "Expected the dtype for input and out to match, but got Float"),
        (lambda x, o: torch.abs(x, out=o), "Found dtype Double but expected Float"),
        (lambda x, o: torch.take(x, torch.tensor([0]), out=o), "self.dtype = Float and out.dtype = Double"),
        (lambda x, o: torch.zeros(2, dtype=torch.float32, out=o), "dtype Float does not match dtype of out parameter"),
    ],
)
def test_exact_dtypes(call: Any, sentence: str) -> None:
    with pytest.raises(RuntimeError) as error:
        call(torch.ones(2), torch.zeros(2, dtype=torch.float64))
    assert sentence in str(error.value)


def test_joining_into_a_narrower_category_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"torch\.cat\(\): input types can't be cast to the desired output type Int"):
        torch.cat([torch.ones(2)], out=torch.zeros(2, dtype=torch.int32))


def test_running_sums_are_computed_in_the_dtype_of_out() -> None:
    out = torch.zeros(3, dtype=torch.int32)
    assert torch.cumsum(torch.tensor([1.5, 1.5, 1.5]), 0, out=out) is out
    assert out.tolist() == [1, 2, 3]


def test_nothing_is_written_before_all_outputs_are_checked() -> None:
    values, places = torch.full((2,), 9.0), torch.zeros(2, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype long int, but got int instead"):
        torch.sort(torch.tensor([2.0, 1.0]), out=(values, places))
    assert values.tolist() == [9, 9]


def test_factories_resize_without_a_word() -> None:
    out = torch.zeros(2, 2)
    assert told(lambda: torch.ones(3, out=out)) == []
    assert told(lambda: torch.randn(4, out=out)) == []
    assert tuple(out.shape) == (4,)
    assert "was resized since it had shape [4]" in told(lambda: torch.sin(torch.ones(3), out=out))[0]


def test_ranges_ask_for_a_number_of_elements_only() -> None:
    out = torch.zeros(2, 2)
    assert torch.linspace(0, 3, 4, out=out).tolist() == [[0, 1], [2, 3]]
    assert torch.arange(4, out=out).tolist() == [[0, 1], [2, 3]]
    [warning] = told(lambda: torch.arange(3, out=out))
    assert warning.startswith("The number of elements in the out tensor of shape [2, 2] is 4 which does not match")
    assert out.tolist() == [0, 1, 2]


def test_random_numbers_fill_a_strided_output_in_its_own_order() -> None:
    one, other = torch.zeros(3, 2, 2)[..., 0].t(), torch.zeros(3, 2, 2)[..., 0].t()
    torch.manual_seed(0)
    torch.randn(2, 3, out=one)
    torch.manual_seed(0)
    other.normal_()
    assert one.tolist() == other.tolist()


def test_operators_refuse_what_is_no_tensor_on_their_left() -> None:
    with pytest.raises(TypeError, match=r"descriptor '__radd__' for 'torch\._C\.TensorBase' objects doesn't"):
        torch.Tensor.__radd__(2, torch.ones(1))
    with pytest.raises(AttributeError, match="'int' object has no attribute 'reciprocal'"):
        torch.Tensor.__rdiv__(2, torch.ones(1))
