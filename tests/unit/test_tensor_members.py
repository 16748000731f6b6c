"""What a tensor tells of itself, told as stories: creation, conversion, storages, copies, pickles."""

import copy
import pickle

import numpy
import pytest

import dispatchtorch
from tests.parity.stories import Stories, attempt

story = Stories(__name__)


def told(t):
    return t, str(t.dtype), tuple(t.shape), t.requires_grad


@story
def tensors_from_data(torch):
    return [
        told(torch.tensor(data))
        for data in (
            1,
            1.5,
            True,
            1j,
            [],
            [[]],
            [1, 2.5],
            [True, 2],
            [[1], [2]],
            (1, 2),
            numpy.float64(2),
            numpy.ones(2, "i2"),
        )
    ]


@story
def tensors_from_tensors(torch):
    x = torch.tensor([1, 2])
    return (
        told(torch.tensor([x[0], x[1]])),
        told(torch.tensor(x)),
        torch.as_tensor(x) is x,
        told(torch.as_tensor([1.0])),
    )


@story
def tensors_of_a_dtype(torch):
    return [
        told(torch.tensor([1.7, 0.0, -2.0], dtype=dtype))
        for dtype in (torch.float64, torch.float16, torch.int32, torch.int64, torch.bool, torch.complex64)
    ]


@story
def filled_tensors(torch):
    return [
        told(t)
        for t in (
            torch.zeros(2),
            torch.zeros((2, 1)),
            torch.zeros(size=(1,)),
            torch.zeros(torch.Size([2])),
            torch.ones(1, 2, dtype=torch.int64),
            torch.full((2,), 3),
            torch.full((2,), 3.5),
            torch.full((), True),
            torch.zeros(()),
            torch.ones([2], requires_grad=True),
            torch.eye(2, 3),
            torch.zeros_like(torch.ones(2, dtype=torch.int32)),
            torch.ones_like(torch.ones(2), dtype=torch.float64),
            torch.full_like(torch.ones(2, dtype=torch.int64), 7),
            torch.ones(2).new_zeros(3),
            torch.ones(2, dtype=torch.int64).new_tensor([1.5, 2.0]),
            torch.ones(2).new_full((1, 2), 4),
            torch.ones(2).new_ones((1,), dtype=torch.bool),
        )
    ]


@story
def ranges(torch):
    return [
        told(t)
        for t in (
            torch.arange(3),
            torch.arange(1, 4),
            torch.arange(0, 1, 0.25),
            torch.arange(5, 0, -2),
            torch.arange(2.5),
            torch.arange(0),
            torch.arange(3, dtype=torch.float64),
            torch.arange(end=3),
            torch.arange(0.1, 0.7, 0.1),
            torch.linspace(0, 1, 5),
            torch.linspace(3, -3, 4),
            torch.linspace(0, 1, 1),
            torch.linspace(0, 1, 0),
            torch.logspace(0, 2, 3),
        )
    ]


@story
def conversions(torch):
    x = torch.tensor([1.7, -2.3, 0.0])
    return [
        told(t)
        for t in (
            x.int(),
            x.long(),
            x.double(),
            x.half(),
            x.bool(),
            x.short(),
            x.char(),
            x.cfloat(),
            x.to(torch.int32),
            x.to("cpu"),
            x.to("cpu", torch.float64),
            x.to(torch.ones(1, dtype=torch.int64)),
            x.type(torch.float64),
            x.type("torch.IntTensor"),
            x.type_as(torch.tensor(1)),
            x.float(),
            x.cpu(),
        )
    ] + [x.to(torch.float32) is x, x.to("cpu") is x, x.to(torch.float32, copy=True) is x, x.type(), x.long().type()]


@story
def conversions_have_gradients(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.double() * 3
    z = x.to(torch.float64)
    (y.float().sum() + z.sum().float()).backward()
    return x.grad, str(x.grad.dtype), z.grad_fn.name(), x.clone().grad_fn.name()


@story
def storages(torch):
    x = torch.arange(6.0).view(2, 3)
    v = x[1]
    s = x.storage()
    return (
        s.data_ptr() == v.storage().data_ptr(),
        s.data_ptr() == x.data_ptr(),
        v.data_ptr() - x.data_ptr(),
        len(s),
        s.size(),
        s.tolist(),
        v.storage_offset(),
        v.storage().tolist(),
        x.untyped_storage().nbytes(),
        x.untyped_storage().data_ptr() == s.data_ptr(),
        x.clone().storage().data_ptr() == s.data_ptr(),
        x.detach().storage().data_ptr() == s.data_ptr(),
        x.nbytes,
        x.element_size(),
        x.itemsize,
        s[4],
    )


@story
def storages_outlive_writes(torch):
    x = torch.zeros(2, 2)
    pointer = x.storage().data_ptr()
    same = []
    for act in (
        lambda: x.add_(1),
        lambda: x.mul_(2),
        lambda: x.fill_(3),
        lambda: x.zero_(),
        lambda: x.copy_(torch.ones(2, 2)),
        lambda: x.__setitem__(0, 5.0),
        lambda: x.t().add_(1),
        lambda: x.view(4)[1:].exp_(),
        lambda: x.detach().sub_(1),
    ):
        act()
        same.append((x.storage().data_ptr() == pointer, x.t().storage().data_ptr() == pointer))
    return same, x


@story
def shapes_and_strides(torch):
    x = torch.zeros(2, 3, 4)
    t = x.transpose(0, 2)
    return (
        x.shape,
        x.size(),
        x.size(1),
        x.dim(),
        x.ndim,
        x.numel(),
        x.stride(),
        x.stride(1),
        len(x),
        t.stride(),
        t.is_contiguous(),
        t.contiguous().stride(),
        x.contiguous() is x,
        torch.zeros(0, 3).stride(),
        torch.zeros(()).stride(),
        x.shape.numel(),
        x.shape[1:],
        repr(x.shape[1:]),
        repr(x.shape + (1,)),  # noqa: RUF005 - Size.__add__ is what is asked
        x.nelement(),
        x.ndimension(),
    )


@story
def small_questions(torch):
    x = torch.zeros(2)
    n = torch.zeros(2, dtype=torch.int64)
    return (
        x.is_floating_point(),
        n.is_floating_point(),
        torch.is_floating_point(x),
        x.is_complex(),
        x.is_signed(),
        torch.is_tensor(x),
        torch.is_tensor(3),
        torch.numel(x),
        x.get_device(),
        x.is_cuda,
        x.is_sparse,
        str(x.layout),
        str(x.device),
        x.is_cpu,
        x.is_meta,
        x.is_quantized,
        x.is_shared() is not None,
        x.is_pinned(),
        x.is_same_size(n),
        x.is_set_to(x),
        x.is_set_to(x.clone()),
        x.is_conj(),
        x.resolve_conj() is x,
        x.type(),
        n.is_signed(),
        torch.zeros(1, dtype=torch.uint8).is_signed(),
        torch.is_complex(x),
        x.is_inference(),
        x.name,
    )


@story
def numbers(torch):
    x = torch.tensor(2.75)
    return (
        x.item(),
        float(x),
        int(x),
        bool(x),
        f"{x:.1f}",
        complex(x),
        torch.tensor([3]).item(),
        torch.tensor(True).item(),
        torch.tensor(1j).item(),
        torch.tensor([[1, 2], [3, 4]]).tolist(),
        x.tolist(),
        int(torch.tensor([4])),
        3 in torch.tensor([3, 4]),
        torch.tensor(3).__index__(),
        hash(x) == id(x),
        [v.item() for v in torch.tensor([1, 2])],
        format(torch.ones(2), ""),
    )


@story
def copies(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    x.note = "kept"
    y, z = copy.deepcopy(x), copy.copy(x)
    y.data.add_(1)
    z.data.mul_(10)
    return told(y), y.grad, y.note, y.grad is x.grad, told(z), x, y.is_leaf, attempt(lambda: copy.deepcopy(x * 2))


@story
def deep_copies_share_what_was_shared(torch):
    x = torch.ones(2)
    a, b = copy.deepcopy([x, x])
    v, w = copy.deepcopy([x, x[:1]])
    v.add_(1)
    return a is b, w, v.storage().data_ptr() == w.storage().data_ptr()


@story
def pickles(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = pickle.loads(pickle.dumps(x))
    z = pickle.loads(pickle.dumps(x.detach().t()))
    return told(y), told(z), z.stride()


@story
def data(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    d = x.data
    d[0] = 5.0
    version = x._version
    x.data = torch.tensor([7.0, 8.0, 9.0])
    (x * 2).sum().backward()
    return d, d.requires_grad, version, x, x.grad, x.is_leaf, attempt(lambda: setattr(x, "data", 3))


@story
def copying_in(torch):
    x = torch.zeros(2, 2)
    return (
        x.copy_(torch.tensor([1, 2])),
        x.copy_(torch.tensor(7.9)),
        torch.zeros(2, dtype=torch.int64).copy_(torch.tensor([1.9, -1.9])),
        x.fill_(torch.tensor(3.0)),
        x.fill_(True),
        torch.zeros(1, dtype=torch.bool).fill_(2),
        x._version,
        attempt(lambda: x.copy_([3])),
    )


@story
def arrays_out(torch):
    x = torch.arange(4.0).view(2, 2)
    a = x.numpy()
    b = numpy.asarray(x.t())
    return (
        a.tolist(),
        str(a.dtype),
        b.tolist(),
        numpy.add(a, 1).tolist(),
        numpy.array(x, dtype="int64").tolist(),
        float(numpy.sum(x.numpy())),
    )


@story
def printing(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    return (
        repr(x),
        repr(x * 2),
        repr(x.view(2, 1)),
        repr(torch.tensor(3)),
        repr(torch.ones(0, 2)),
        str(torch.tensor([True])),
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)


def test_numpy_shares_memory_on_the_host_library():
    torch = dispatchtorch
    with torch.use_backend("numpy"):
        x = torch.zeros(2)
        x.numpy()[0] = 5.0
        assert x.tolist() == [5.0, 0.0]
        array = numpy.zeros(2)
        t = torch.from_numpy(array)
        t.add_(1)
        assert array.tolist() == [1.0, 1.0]
        assert t.dtype is torch.float64


def test_a_tensor_knows_its_backend_and_moves():
    pytest.importorskip("jax")
    torch = dispatchtorch
    x = torch.tensor([1.0, 2.0], requires_grad=True, backend="numpy")
    y = x.to(backend="jax")
    assert (x.backend, y.backend) == ("numpy", "jax")
    (y * y).sum().backward()
    assert x.grad.backend == "numpy"
    assert x.grad.tolist() == [2.0, 4.0]
    assert torch.as_tensor(x) is x
