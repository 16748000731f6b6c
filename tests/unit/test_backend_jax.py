"""The JAX backend's own half of the contract: crossing, jitting, devices. What ops compute is the conformance kit's."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import dispatchtorch as torch  # noqa: E402 - after the library was found
from dispatchtorch.plugin import BackendUnavailableError, KernelCall  # noqa: E402 - as above
from dispatchtorch.plugin.selection import get_backend  # noqa: E402 - as above

jnp = jax.numpy


@pytest.fixture(scope="module")
def backend():
    return get_backend("jax")


@pytest.mark.parametrize("size", [0, 3, 100_000])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool", "complex128"])
def test_a_host_array_is_copied(backend, size, dtype):
    host = np.ones(size, dtype)
    array = backend.from_host(host, "cpu")
    host[:] = 0
    assert backend.dtype_name(array) == dtype
    assert array.dtype == backend.dtype(dtype)
    assert bool(array.all())


def test_what_comes_out_cannot_be_written(backend):
    out = backend.to_host(backend.from_host(np.ones(3, np.float32), "cpu"))
    assert type(out) is np.ndarray
    assert not out.flags.writeable


def test_bfloat16_crosses(backend):
    host = np.array([1.0, 2.5]).astype(backend.dtype("bfloat16"))
    array = backend.from_host(host, "cpu")
    assert backend.dtype_name(array) == "bfloat16"
    assert backend.to_host(array).astype(np.float32).tolist() == [1.0, 2.5]


def test_an_unknown_dtype_is_a_key_error(backend):
    with pytest.raises(KeyError, match="complex32"):
        backend.dtype("complex32")


def test_devices(backend):
    assert {"cpu", "xla"} <= set(backend.devices)
    assert backend.device_count() >= 1
    assert backend.from_host(np.ones(2), "xla").device in jax.devices()
    with pytest.raises(BackendUnavailableError, match="there is no device 'cpu:99'"):
        backend.from_host(np.ones(2), "cpu:99")
    backend.synchronize()


def test_a_kernel_is_traced_once_for_each_shape(backend):
    traced = []

    def kernel(a, dims, scale):
        traced.append(a.shape)
        return jnp.sum(a, axis=dims) * scale

    bound = backend.bind(kernel, KernelCall("x", static=(1,)))
    a = jnp.ones((2, 3), jnp.float32)
    assert bound(a, (0,), 2.0).tolist() == [4.0, 4.0, 4.0]
    assert bound(a, (0,), 3.0).tolist() == [6.0, 6.0, 6.0]  # a number is an input: no second trace
    assert bound(a, (0, 1), 3.0).tolist() == 18.0
    assert traced == [(2, 3), (2, 3)]
    assert bound.__name__ == "kernel"


def test_results_have_strong_dtypes(backend):
    bound = backend.bind(lambda a: (jnp.where(a > 0, 1.0, 2.0), 3), KernelCall("x"))
    first, second = bound(jnp.ones(2))
    assert not first.weak_type
    assert second.tolist() == 3


def test_none_and_lists_travel_as_arguments(backend):
    bound = backend.bind(lambda members, bias: jnp.concat(members) if bias is None else bias, KernelCall("x"))
    assert bound([jnp.ones(1), jnp.zeros(2)], None).tolist() == [1.0, 0.0, 0.0]
    assert bound([jnp.ones(1)], jnp.ones(1)).tolist() == [1.0]


def test_a_kernel_whose_shape_depends_on_values_runs_untraced(backend):
    bound = backend.bind(lambda a: a[a > 1], KernelCall("x"))
    assert bound(jnp.arange(4)).tolist() == [2, 3]
    assert bound(jnp.arange(5)).tolist() == [2, 3, 4]
    with pytest.raises(jax.errors.NonConcreteBooleanIndexError):
        jax.jit(bound)(jnp.arange(4))


def test_a_write_gives_a_new_array(backend):
    before = jnp.zeros((2, 2))
    after = backend.set_at(before, (slice(0, 1), slice(0, 2)), jnp.ones((1, 2)))
    assert before.tolist() == [[0, 0], [0, 0]]
    assert after.tolist() == [[1, 1], [0, 0]]
    assert backend.copy(before) is before


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int8", [0, -1, 44, -44, 112, 0, 0]),
        ("uint8", [0, 255, 44, 212, 112, 0, 0]),
        ("int32", [0, -1, 300, -300, 70000, -(2**31), -(2**31)]),
        ("int64", [0, -1, 300, -300, 70000, 10**10, -(2**63)]),
    ],
)
def test_casts_to_integers_wrap_around(backend, dtype, expected):
    host = np.array([0.5, -1.9, 300.7, -300.0, 70000.0, 1e10, np.nan])
    cast = backend.bind(backend.kernels["_cast"], KernelCall("_cast", static=(1,)))
    assert cast(backend.from_host(host, "cpu"), backend.dtype(dtype)).tolist() == expected


def test_a_range_of_integers_is_exact(backend):
    arange = backend.bind(backend.kernels["_arange"], KernelCall("_arange", static=(2, 3)))
    assert arange(2**60 + 1, 2, 3, backend.dtype("int64")).tolist() == [2**60 + 1, 2**60 + 3, 2**60 + 5]
    assert arange(0.5, 0.25, 2, backend.dtype("float32")).tolist() == [0.5, 0.75]


def test_a_clone_is_the_array(backend):
    clone = backend.bind(backend.kernels["_clone"], KernelCall("_clone"))
    a = jnp.zeros(2)
    assert clone(a) is a


def test_special_functions_at_their_poles(backend):
    kernels = backend.kernels
    assert kernels["digamma"](jnp.array([0.0, -0.0])).tolist() == [-np.inf, np.inf]
    with torch.use_backend("jax"):
        assert torch.lgamma(torch.tensor([-np.inf, np.inf, 1.0])).tolist() == [np.inf, np.inf, 0.0]


def test_an_index_picks_from_the_end_too(backend):
    index = backend.bind(backend.kernels["_index"], KernelCall("_index", static=(2,)))
    assert index(jnp.arange(12).reshape(3, 4), [jnp.array([0, -1])], (1,)).tolist() == [[0, 3], [4, 7], [8, 11]]


@pytest.mark.parametrize(("op", "expected"), [("_div_floor", [-4, 3, -4]), ("_div_trunc", [-3, 3, -3])])
def test_integers_are_not_divided_by_zero(backend, op, expected):
    divide = backend.bind(backend.kernels[op], KernelCall(op, elementwise=True))
    a = jnp.array([-7, 7, 7])
    assert divide(a, jnp.array([2, 2, -2])).tolist() == expected
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError$"):
        divide(a, 0)
    assert divide(a.astype(jnp.float32), 0.0).tolist() == [-np.inf, np.inf, np.inf]
    assert jax.jit(divide)(a, 2).shape == (3,)  # no values, no check
