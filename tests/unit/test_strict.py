"""Each rule of the strict stand-in: what a GPU library refuses is refused, what it allows works as on the host."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest

from dispatchtorch.testing.strict import MISSING, MISSING_BEFORE_NUMPY_2, StrictArray, make_namespace
from dispatchtorch.testing.strict import strict_namespace as xp

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def a() -> Any:
    return xp.asarray(HOST)


def same(device: Any, host: Any) -> None:
    assert type(device) is StrictArray
    host = np.asarray(host)
    assert device.shape == host.shape
    assert device.dtype == host.dtype
    np.testing.assert_array_equal(device.get(), host)


# Between host and device


@pytest.mark.parametrize(
    "convert",
    [np.asarray, np.array, lambda a: np.zeros(3) + a, lambda a: np.concatenate([a, a]), lambda a: np.sin(a)],
    ids=["asarray", "array", "operator", "concatenate", "sin"],
)
def test_nothing_converts_to_the_host_by_itself(convert: Any, a: Any) -> None:
    with pytest.raises(TypeError):
        convert(a)


def test_the_refusal_says_what_to_do(a: Any) -> None:
    with pytest.raises(TypeError) as caught:
        np.asarray(a)
    assert str(caught.value) == (
        "Implicit conversion to a NumPy array is not allowed. "
        "Please use `.get()` to construct a NumPy array explicitly."
    )


def test_ways_on_and_off_the_device_copy(a: Any) -> None:
    host = HOST.copy()
    on = xp.asarray(host)
    host[:] = 7
    same(on, HOST)
    off = on.get()
    off[:] = 7
    same(on, HOST)
    assert xp.asarray(on) is on
    assert xp.array(on) is not on
    same(xp.asarray(on, dtype=np.int32), HOST.astype(np.int32))
    same(xp.asarray([[1.5], [2.5]]), [[1.5], [2.5]])
    assert type(xp.asnumpy(a)) is np.ndarray
    a.set(HOST + 1)
    same(a, HOST + 1)
    for wrong in (HOST.astype(np.float64), HOST[0], [1.0]):
        with pytest.raises(TypeError):
            a.set(wrong)


def test_objects_and_strings_do_not_live_on_the_device() -> None:
    for host in (np.asarray(["a"]), np.asarray([None]), np.zeros(2, "M8[s]")):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            xp.asarray(host)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul, operator.lt, operator.eq, operator.ne]  # fmt: skip  # noqa: E501 - a list
IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv]


@pytest.mark.parametrize("op", [*OPERATORS, *IN_PLACE])
def test_host_arrays_do_not_mix_in(op: Any, a: Any) -> None:
    for host in (HOST, np.float32(2) * np.ones(3, np.float32), np.asarray(2.0), [1.0, 2.0, 3.0]):
        with pytest.raises(TypeError):
            op(a, host)
        with pytest.raises(TypeError):
            op(host, a)
    same(a, HOST)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: xp.add(a, HOST),
        lambda a: xp.add(a, a, out=HOST.copy()),
        lambda a: xp.add(a, a, HOST.copy()),
        lambda a: xp.sum(HOST),
        lambda a: xp.sum(a, axis=0, out=np.zeros(3, np.float32)),
        lambda a: xp.concatenate([a, HOST]),
        lambda a: xp.where(a > 0, a, HOST),
        lambda a: xp.where(HOST > 0, a, a),
        lambda a: xp.where(True, a, a),
        lambda a: xp.take(a, np.asarray([0])),
        lambda a: xp.repeat(a, xp.asarray([1, 2]), axis=0),
        lambda a: xp.full((2,), np.ones(2)),
        lambda a: a.dot(HOST.T),
        lambda a: a.take(np.asarray([0])),
        lambda a: a[np.asarray([0])],
        lambda a: a[0, np.asarray([0])],
        lambda a: a[[np.asarray([0])]],
        lambda a: a.__setitem__(0, HOST[0]),
        lambda a: a.__setitem__(0, [1.0, 2.0, 3.0]),
        lambda a: a.__setitem__(np.asarray([0]), 1.0),
    ],
)  # fmt: skip
def test_no_function_takes_a_host_array(call: Any, a: Any) -> None:
    with pytest.raises(TypeError):
        call(a)
    same(a, HOST)


# Values and shapes


@pytest.mark.parametrize("op", [op for op in OPERATORS if op is not operator.matmul])
def test_operators_with_arrays_and_numbers(op: Any, a: Any) -> None:
    with np.errstate(all="ignore"):
        same(op(a, a), op(HOST, HOST))
        same(op(a, 2), op(HOST, 2))
        same(op(2, a), op(2, HOST))
        same(op(np.float32(2), a), op(np.float32(2), HOST))
        same(op(a, np.float64(2)), op(HOST, np.float64(2)))


def test_unary_operators_and_matmul(a: Any) -> None:
    same(-a, -HOST)
    same(+a, HOST)
    same(abs(-a), HOST)
    same(~(a > 2), ~(HOST > 2))
    same(a @ a.T, HOST @ HOST.T)
    same(a.dot(a.T), HOST @ HOST.T)
    quotient, rest = divmod(a, 2)
    same(quotient, HOST // 2)
    same(rest, HOST % 2)


@pytest.mark.parametrize(
    "result",
    [
        lambda a: a.sum(),
        lambda a: xp.sum(a),
        lambda a: a[1, 2],
        lambda a: a[1][2],
        lambda a: xp.asarray(1.0) + xp.asarray(2.0),
        lambda a: xp.add(1.0, 2.0),
        lambda a: xp.sin(xp.asarray(1.0)),
        lambda a: a.argmax(),
        lambda a: xp.dot(a[0], a[0]),
        lambda a: a[0].dot(a[0]),
        lambda a: xp.allclose(a, a),
        lambda a: xp.linalg.norm(a),
        lambda a: xp.count_nonzero(a),
        lambda a: xp.max(a),
    ],
)  # fmt: skip
def test_results_of_no_dimension_stay_on_the_device(result: Any, a: Any) -> None:
    out = result(a)
    assert type(out) is StrictArray
    assert out.shape == ()


def test_numbers_come_only_when_asked_for(a: Any) -> None:
    assert float(a[1, 2]) == 5.0
    assert int(a[1, 2]) == 5
    assert bool(a[0, 0]) is False
    assert complex(a[1, 2]) == 5
    assert a[1, 2].item() == 5.0
    assert a.tolist() == HOST.tolist()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(a)
    with pytest.raises(TypeError):
        operator.index(xp.asarray(1))
    with pytest.raises(TypeError):
        list(range(xp.asarray(1)))
    with pytest.raises(TypeError):
        hash(a)


def test_iteration_gives_device_arrays(a: Any) -> None:
    assert [type(row) for row in a] == [StrictArray, StrictArray]
    assert len(a) == 2
    for call in (len, iter):
        with pytest.raises(TypeError):
            call(a[0, 0])


def test_facts_are_the_hosts(a: Any) -> None:
    for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides"):
        assert getattr(a.T, name) == getattr(HOST.T, name)
    assert a.T.flags.f_contiguous
    assert not a.T.flags.c_contiguous
    assert a.T.flags.forc


METHODS: list[tuple[str, tuple[Any, ...]]] = [("sum", (0,)), ("mean", (1,)), ("max", ()), ("argmin", (0,)), ("argsort", (1,)), ("reshape", (3, 2)), ("reshape", ((3, 2),)), ("transpose", ()), ("transpose", (1, 0)), ("astype", (np.int64,)), ("copy", ()), ("ravel", ()), ("flatten", ()), ("squeeze", ()), ("swapaxes", (0, 1)), ("clip", (1, 3)), ("cumsum", (0,)), ("any", ()), ("all", (0,)), ("take", ([0, 1],)), ("view", (np.int32,)), ("round", ()), ("var", (0,)), ("conj", ())]  # fmt: skip  # noqa: E501 - a table


@pytest.mark.parametrize(("name", "args"), METHODS)
def test_methods_give_the_hosts_values(name: str, args: tuple[Any, ...], a: Any) -> None:
    same(getattr(a, name)(*args), getattr(HOST.copy(), name)(*args))


def test_methods_that_change_in_place(a: Any) -> None:
    a[0].fill(7)
    same(a, np.asarray([[7, 7, 7], [3, 4, 5]], np.float32))
    a[1] = xp.asarray([5.0, 4.0, 3.0])
    a[1].sort()
    assert a.tolist()[1] == [3, 4, 5]
    a.fill(xp.asarray(1))
    same(a, np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="fill"):
        a.fill(HOST)


def test_indices(a: Any) -> None:
    same(a[xp.asarray([1, 0])], HOST[[1, 0]])
    same(a[a > 2], HOST[HOST > 2])
    same(a[[1, 0], 2], HOST[[1, 0], 2])
    same(a[..., None, 1], HOST[..., None, 1])
    same(a[()], HOST)
    a[a > 2] = 0
    a[0, 1:] = a[1, 1:] + 9
    same(a, np.asarray([[0, 9, 9], [0, 0, 0]], np.float32))
    with pytest.raises(IndexError):
        a["x"]
    with pytest.raises(IndexError):
        a[1.5]
    with pytest.raises(IndexError):
        a[2]
    with pytest.raises(TypeError):
        a[xp.asarray(0) : 1]


# Memory


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[1],
        lambda a: a[1, 2],
        lambda a: a[:, ::2],
        lambda a: a.T,
        lambda a: a.mT,
        lambda a: a.reshape(6),
        lambda a: a.ravel(),
        lambda a: a.view(np.int32),
        lambda a: xp.transpose(a),
        lambda a: xp.broadcast_to(a[0], (4, 3)),
        lambda a: xp.lib.stride_tricks.as_strided(a[0], (2, 2), (4, 4)),
        lambda a: xp.asarray(a),
        lambda a: xp.split(a, 2)[0],
        lambda a: a.real,
    ],
)  # fmt: skip
def test_views_share_memory(view: Any, a: Any) -> None:
    shown = view(a)
    assert xp.shares_memory(a, shown) is True
    before = shown.get()
    a += 1
    assert not np.array_equal(shown.get(), before)


def test_writes_through_views_reach_the_base(a: Any) -> None:
    a.T[0] = 9
    a[1, 2][...] = 8
    xp.lib.stride_tricks.as_strided(a, (2,), (8,))[...] = 7
    same(a, np.asarray([[7, 1, 7], [9, 4, 8]], np.float32))


def test_in_place_operators_keep_the_array(a: Any) -> None:
    pointer, before = a.data.ptr, a
    a += 1
    a *= a
    scalar = a[0, 0]
    scalar -= 5
    assert a is before
    assert a.data.ptr == pointer == a[0].data.ptr
    assert a[1].data.ptr == pointer + 12
    assert a.tolist() == [[-4, 4, 9], [16, 25, 36]]
    assert a.base is None
    assert type(a[0].base) is StrictArray


def test_copies_do_not_share_memory(a: Any) -> None:
    for other in (a.copy(), copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a)), xp.array(a), a.flatten()):
        assert type(other) is StrictArray
        assert xp.shares_memory(a, other) is False


# Functions


def test_out_by_keyword_and_by_position(a: Any) -> None:
    out = xp.empty_like(a)
    assert xp.add(a, 1, out=out) is out
    same(out, HOST + 1)
    assert xp.multiply(a, 2, out) is out
    same(out, HOST * 2)
    assert xp.sum(a, axis=0, out=out[0]).shape == (3,)
    first, second = xp.empty_like(a), xp.empty_like(a)
    given = xp.divmod(a, 2, first, second)
    assert given[0] is first
    assert given[1] is second
    same(second, HOST % 2)
    assert xp.divmod(a, 4, out=(first, second))[0] is first
    same(first, HOST // 4)
    with pytest.raises(ValueError, match="both"):
        xp.add(a, 1, out, out=out)
    with pytest.raises(TypeError, match="same_kind"):
        xp.true_divide(a, 2, out=xp.zeros((2, 3), np.int32))
    with pytest.raises(TypeError, match="arguments"):
        xp.add(a)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: xp.add(a, a, where=a > 2),
        lambda a: xp.add(a, a, subok=False),
        lambda a: xp.sum(a, where=a > 2),
        lambda a: xp.sum(a, initial=1),
        lambda a: a.max(initial=1),
        lambda a: xp.zeros_like(a, subok=True),
        lambda a: xp.take(a, [0], mode="clip"),
        lambda a: xp.sort(a, stable=True),
        lambda a: xp.argsort(a, descending=True),
        lambda a: xp.einsum("ij->i", a, out=a[:, 0]),
        lambda a: xp.clip(a, min=0, max=1),
        lambda a: xp.zeros(3, like=a),
    ],
)  # fmt: skip
def test_keywords_of_the_host_alone_are_refused(call: Any, a: Any) -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument|Wrong arguments"):
        call(a)


def test_only_stable_sorting(a: Any) -> None:
    same(xp.argsort(a, axis=0, kind="stable"), np.argsort(HOST, axis=0))
    for call in (
        lambda: xp.sort(a, kind="quicksort"),
        lambda: a.sort(kind="heapsort"),
        lambda: a.argsort(kind="mergesort"),
    ):
        with pytest.raises(ValueError, match="stable"):
            call()


def test_reductions_and_scatters_of_elementwise_functions(a: Any) -> None:
    same(xp.add.reduce(a), HOST.sum(0))
    same(xp.multiply.reduce(a, axis=1), HOST.prod(1))
    same(xp.add.accumulate(a, axis=1), HOST.cumsum(1))
    same(xp.add.outer(a[0], a[1]), np.add.outer(HOST[0], HOST[1]))
    for call in (lambda: xp.maximum.reduce(a), lambda: xp.maximum.accumulate(a), lambda: xp.multiply.at(a, 0, 2)):
        with pytest.raises(NotImplementedError):
            call()
    xp.add.at(a, xp.asarray([0, 0]), 1)
    same(a[0], HOST[0] + 2)
    with pytest.raises(TypeError):
        xp.add.at(a, np.asarray([0]), 1)
    with pytest.raises(TypeError):
        xp.add.at(a, xp.asarray([0]), HOST[0])


def test_names_are_the_librarys() -> None:
    assert MISSING.isdisjoint(MISSING_BEFORE_NUMPY_2)
    assert all(hasattr(np, name) for name in MISSING - {"float128", "complex256", "core"})
    for name in sorted(MISSING):
        with pytest.raises(AttributeError, match=name):
            getattr(xp, name)
    for name in ("vecdot", "multi_dot", "no_such_function"):
        with pytest.raises(AttributeError):
            getattr(xp.linalg, name)
    with pytest.raises(AttributeError, match="not modelled"):
        _ = xp.random
    with pytest.raises(AttributeError):
        _ = xp._core
    for name in (
        "permute_dims",
        "concat",
        "put_along_axis",
        "take_along_axis",
        "tril",
        "bincount",
        "einsum",
        "float32",
    ):
        assert getattr(xp, name) is getattr(xp, name)
    older = make_namespace(MISSING | MISSING_BEFORE_NUMPY_2)
    assert older.transpose is not None
    with pytest.raises(AttributeError):
        _ = older.permute_dims


def test_dtypes_and_constants_are_the_hosts() -> None:
    assert xp.float32 is np.float32
    assert xp.dtype("int8") == np.dtype("int8")
    assert xp.finfo(xp.float32).eps == np.finfo(np.float32).eps
    assert xp.newaxis is None
    assert xp.pi == np.pi
    assert xp.ndarray is StrictArray


def test_facts_about_arrays_are_the_hosts(a: Any) -> None:
    assert xp.ndim(a) == 2
    assert xp.shape(a) == (2, 3)
    assert xp.result_type(a, np.float64) == np.float64
    assert xp.broadcast_shapes((2, 1), (3,)) == (2, 3)


def test_several_results_are_all_on_the_device(a: Any) -> None:
    for result in (xp.unique(a, return_counts=True), xp.linalg.qr(a), xp.nonzero(a), xp.split(a, 2), a.nonzero()):
        assert [type(part) for part in result] == [StrictArray] * len(result)
    assert xp.linalg.slogdet(xp.eye(3)).sign.item() == 1


def test_no_floating_point_warnings(a: Any) -> None:
    assert xp.isinf((a / 0)[1]).all()
    xp.log(a - 9)
    a[0] = 1e38
    a *= 1e38
    assert xp.exp(a * 0 + 1000).astype(np.int32) is not None


def test_one_device() -> None:
    with xp.cuda.Device(0) as device:
        device.synchronize()
    assert xp.cuda.runtime.getDeviceCount() == 1
    xp.cuda.Stream.null.synchronize()
    with pytest.raises(ValueError, match="one device"):
        xp.cuda.Device(1)
