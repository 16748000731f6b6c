"""Tensors and storages made by their types, and questions about both; expectations are PyTorch's."""

import warnings

import numpy
import pytest

import dispatchtorch as torch


def test_tensors_of_sizes_data_and_other_tensors():
    assert torch.Tensor(2, 3).shape == (2, 3)
    assert torch.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert torch.LongTensor([1.7, 2]).tolist() == [1, 2]
    assert torch.ByteTensor([1, -1]).tolist() == [1, 255]
    whole = torch.tensor([1, 2])
    assert torch.LongTensor(whole).data_ptr() == whole.data_ptr()
    with pytest.raises(TypeError, match="new\\(\\): data must be a sequence \\(got float\\)"):
        torch.FloatTensor(1.5)


def test_typed_classes_answer_isinstance():
    assert isinstance(torch.ones(1), torch.FloatTensor)
    assert not isinstance(torch.ones(1), torch.LongTensor)
    assert repr(torch.cuda.FloatTensor) == "<class 'torch.cuda.FloatTensor'>"
    assert torch.tensor([1]).type("torch.DoubleTensor").dtype is torch.float64


def test_new_keeps_the_dtype():
    assert torch.tensor([1]).new([1.5]).tolist() == [1]


def test_a_storage_is_the_tensors_memory():
    t = torch.tensor([1.0, 2.0])
    t.storage()[0] = 5.0
    assert t.tolist() == [5.0, 2.0]
    t.untyped_storage().fill_(0)
    assert t.tolist() == [0.0, 0.0]
    assert isinstance(t.storage(), torch.FloatStorage)
    assert torch.FloatTensor(t.storage()).data_ptr() == t.data_ptr()


def test_another_default_dtype_is_heeded_by_ops_that_ran_before():
    x = torch.tensor([1, 2])
    assert (x / x).dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert (x / x).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_promotion_of_zero_dimensional_complex_and_wide_unsigned():
    assert torch.result_type(torch.ones(2), torch.tensor(1j, dtype=torch.complex128)) is torch.complex64
    with pytest.raises(RuntimeError, match="attempted to promote Bool and UInt16"):
        torch.promote_types(torch.bool, torch.uint16)


def test_a_default_device():
    with torch.device("cpu") as device:
        assert torch.get_default_device() == device
    torch.set_default_device("cuda:1")
    try:
        assert torch.get_default_device() == torch.device("cuda:1")
    finally:
        torch.set_default_device(None)


def test_memory_is_exchanged_with_numpy():
    host = numpy.zeros(2)
    t = torch.from_dlpack(host)
    t[0] = 1.0
    assert host.tolist() == [1.0, 0.0]
    assert numpy.from_dlpack(t).tolist() == [1.0, 0.0]
    assert torch.utils.dlpack.from_dlpack(torch.to_dlpack(t)).tolist() == [1.0, 0.0]
    with pytest.raises(BufferError, match="Can't export tensors that require gradient"):
        t.requires_grad_().__dlpack__()


def test_numpy_functions_give_tensors():
    x = torch.tensor([1.0, 4.0])
    assert isinstance(numpy.sqrt(x), torch.Tensor)
    assert (x + numpy.array([1.0, 2.0])).dtype is torch.float64


def test_buffers():
    buffer = bytearray(b"abcd")
    t = torch.frombuffer(buffer, dtype=torch.uint8, offset=1, count=2)
    t[0] = 122
    assert buffer == b"azcd"
    with pytest.raises(ValueError, match="must be a multiple of element size \\(2\\)"):
        torch.frombuffer(buffer, dtype=torch.int16, offset=1)


def test_strides_and_diagonals():
    assert torch.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert torch.zeros(5, 2).fill_diagonal_(1, wrap=True).sum(1).tolist() == [1, 1, 0, 1, 1]
    assert torch.ones(2, 3).sum_to_size(1, 3).tolist() == [[2.0, 2.0, 2.0]]


def test_set_makes_a_tensor_one_over_other_memory():
    a, b = torch.zeros(2), torch.arange(4.0)
    a.set_(b, 1, (2,), (2,))
    a[0] = 9.0
    assert b.tolist() == [0.0, 9.0, 2.0, 3.0]
    with pytest.raises(RuntimeError, match="Could not set tensor of type long int to a tensor of type float"):
        a.set_(torch.tensor([1]))


def test_python_functions_on_elements():
    assert torch.tensor([1, 2]).apply_(lambda v: v * 2).tolist() == [2, 4]
    assert torch.tensor([1.0]).map_(torch.tensor([3.0]), lambda a, b: a + b).tolist() == [4.0]


def test_range_warns_and_includes_its_end():
    with pytest.warns(UserWarning, match="torch.range is deprecated"):
        assert torch.range(1, 2, 0.5).tolist() == [1.0, 1.5, 2.0]


def test_copies_of_views_are_no_views():
    x = torch.zeros(2, 2)
    torch.select_copy(x, 0, 0)[0] = 1.0
    assert x.sum() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [v.tolist() for v in torch.unbind_copy(x)] == [[0.0, 0.0], [0.0, 0.0]]
