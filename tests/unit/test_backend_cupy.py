"""The GPU backend's code and rules, over a namespace that refuses what the GPU library refuses."""

import importlib

import numpy as np
import pytest

from dispatchtorch.plugin import BackendUnavailableError, KernelCall
from dispatchtorch.plugin.manager import PluginManager
from dispatchtorch.testing import strict_backend as plugin
from dispatchtorch.testing.strict import MISSING, MISSING_BEFORE_NUMPY_2, StrictArray, make_namespace, strict_namespace
from dispatchtorch.testing.strict_backend import strict_backend
from dispatchtorch_cupy.backend import CupyBackend
from dispatchtorch_cupy.namespace import Namespace


@pytest.fixture
def backend():
    return strict_backend()


def test_the_stand_in_runs_the_gpu_backend_under_another_name(backend):
    assert isinstance(backend, CupyBackend)
    assert (backend.name, backend.devices, backend.aliasing) == ("strict", ("cpu",), "native")
    assert plugin.dispatchtorch_backends().instantiate().name == "strict"


def test_values_go_in_and_out_by_copies(backend):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    array = backend.from_host(host, "cpu")
    host[0, 0] = 9
    assert type(array) is StrictArray
    out = backend.to_host(array)
    assert out.tolist() == [[0, 1, 2], [3, 4, 5]]
    out[0, 0] = 9
    assert backend.to_host(array)[0, 0] == 0
    assert backend.dtype_name(array) == "float32"


def test_a_host_array_that_is_not_in_c_order_is_put_in_order(backend):
    array = backend.from_host(np.arange(6).reshape(2, 3).T, "cpu")
    assert array.flags.c_contiguous


def test_views_share_memory(backend):
    root = backend.flat(backend.from_host(np.arange(6), "cpu"))
    column = backend.strided(root, (2,), (3,), 1)
    assert backend.address(column) == backend.address(root) + 8
    backend.write(column, backend.from_host(np.array([7.9, 8.1]), "cpu"))
    assert backend.to_host(root).tolist() == [0, 7, 2, 3, 8, 5]


def test_the_memory_of_a_view_is_flat_from_its_first_element_on(backend):
    array = backend.from_host(np.arange(12).reshape(3, 4), "cpu")
    part = array[1:, 1:3]
    assert backend.to_host(backend.flat(part)).tolist() == [5, 6, 7, 8, 9, 10]
    assert backend.flat(array[:, :0]).shape == (0,)
    assert backend.flat(array.reshape(4, 3)).shape == (12,)


def test_an_overlapping_value_is_written_as_it_was(backend):
    root = backend.from_host(np.arange(5), "cpu")
    backend.write(root[1:], root[:-1])
    assert backend.to_host(root).tolist() == [0, 0, 1, 2, 3]


def test_only_bare_ufuncs_take_out(backend):
    xp = backend.namespace
    assert backend.takes_out(xp.add)
    assert not backend.takes_out(xp.matmul.__class__)
    assert not backend.takes_out(xp.where)
    assert not backend.takes_out(lambda a, b: a + b)


def test_an_unknown_dtype_is_a_key_error(backend):
    assert backend.dtype("bool") == np.dtype("bool")
    with pytest.raises(KeyError, match="complex32"):
        backend.dtype("complex32")


def test_a_device_that_is_not_there(backend):
    assert backend.device_count() == 1
    with pytest.raises(BackendUnavailableError, match="there is no device 'cuda:3'; the driver reports 1"):
        backend.from_host(np.ones(2), "cuda:3")
    backend.synchronize()


def test_a_kernel_is_called_as_it_is_on_one_device(backend):
    assert backend.bind(len, KernelCall("x")) is len


def test_a_missing_library_is_a_sentence(monkeypatch):
    def refuse(name, package=None):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(BackendUnavailableError, match=r"cannot be imported .* pip install"):
        CupyBackend()


class _NoDriver:
    """A library that loads and finds no driver."""

    def __init__(self, answer):
        runtime = type("runtime", (), {"getDeviceCount": staticmethod(answer)})
        self.cuda = type("cuda", (), {"runtime": runtime})
        self.add = len


def test_a_missing_driver_is_a_sentence():
    def fail():
        raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    with pytest.raises(BackendUnavailableError, match="no CUDA device can be used: cudaErrorNoDevice"):
        CupyBackend(_NoDriver(fail))
    with pytest.raises(BackendUnavailableError, match="reports no CUDA device"):
        CupyBackend(_NoDriver(lambda: 0))


def test_no_gpu_backend_means_no_stand_in(monkeypatch):
    monkeypatch.setattr(plugin, "manager", lambda: PluginManager(candidates={}))
    with pytest.raises(BackendUnavailableError, match="no backend for GPUs to stand in for"):
        strict_backend()


# --- the standard's names on an older release ------------------------------------------------------------------------

OLD = Namespace(make_namespace(MISSING | MISSING_BEFORE_NUMPY_2))
NEW = Namespace(strict_namespace)


@pytest.mark.parametrize("xp", [OLD, NEW], ids=["13", "14"])
def test_the_standard_names_exist_on_both_releases(xp):
    a = xp.asarray(np.arange(6.0).reshape(2, 3))
    b = xp.asarray(np.ones((2, 3)))
    assert xp.concat([a, b], axis=0).shape == (4, 3)
    assert xp.permute_dims(a, (1, 0)).shape == (3, 2)
    assert xp.matrix_transpose(a).shape == (3, 2)
    assert xp.astype(a, xp.int64).dtype == np.int64
    assert xp.pow(a, 2).get().tolist() == [[0, 1, 4], [9, 16, 25]]
    assert xp.cumulative_sum(a, axis=1).get().tolist() == [[0, 1, 3], [3, 7, 12]]
    assert xp.atan2(a, b).shape == (2, 3)


def test_what_an_older_release_lacks_is_written_out():
    a = OLD.asarray(np.arange(6.0).reshape(2, 3))
    assert [part.get().tolist() for part in OLD.unstack(a)] == [[0, 1, 2], [3, 4, 5]]
    assert OLD.vecdot(a, a).get().tolist() == [5, 50]
    assert OLD.cumulative_prod(a, axis=0).get().tolist() == [[0, 1, 2], [0, 4, 10]]
    OLD.put_along_axis(a, OLD.asarray(np.array([[2], [0]])), OLD.asarray(np.array([[-1.0], [-2.0]])), 1)
    assert a.get().tolist() == [[0, 1, -1], [-2, 4, 5]]


def test_a_name_that_nobody_has():
    with pytest.raises(AttributeError, match="frobnicate"):
        NEW.frobnicate  # noqa: B018 - asking is the test


# --- kernels that the library's own functions do not give -------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 5, 8])
def test_running_extremes_are_found_by_doubling(backend, size):
    xp = backend.namespace
    host = np.array([[3.0, 1.0, 3.0, np.nan, 5.0, 2.0, 7.0, 0.0]])[:, :size]
    values, index = backend.kernels["_cummax"](xp.asarray(host), 1)
    np.testing.assert_array_equal(values.get(), np.maximum.accumulate(host, axis=1))
    assert index.get().tolist() == [[0, 0, 2, 3, 3, 3, 3, 3][:size]]
    values, index = backend.kernels["_cummin"](xp.asarray(host), 1)
    np.testing.assert_array_equal(values.get(), np.minimum.accumulate(host, axis=1))
    assert index.get().tolist() == [[0, 1, 1, 3, 3, 3, 3, 3][:size]]


def test_running_log_sums(backend):
    host = np.array([0.5, -1.0, 2.0, -np.inf], np.float32)
    out = backend.kernels["_logcumsumexp"](backend.namespace.asarray(host), 0)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.get(), np.logaddexp.accumulate(host), rtol=1e-6)


@pytest.mark.parametrize(
    ("include_self", "expected"), [(True, [[0, 2, 24], [12, 4, 5]]), (False, [[0, 2, 12], [4, 4, 5]])]
)
def test_products_at_places_that_recur(backend, include_self, expected):
    xp = backend.namespace
    a = xp.asarray(np.array([[0.0, 1, 2], [3, 4, 5]]))
    index = xp.asarray(np.array([[1, 2, 2], [0, 0, 0]]))
    src = xp.asarray(np.array([[2.0, 3, 4], [2, 2, 1]]))
    out = backend.kernels["_scatter_reduce"](a, 1, index, src, "prod", include_self)
    assert out.get().tolist() == expected


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_the_order_of_equals(backend, descending):
    a = backend.namespace.asarray(np.array([1.0, 0.0, 1.0, 0.0]))
    order = backend.namespace.argsort(a, axis=0, stable=True, descending=descending)
    assert order.get().tolist() == ([0, 2, 1, 3] if descending else [1, 3, 0, 2])
    ranked = backend.namespace.sort(a, axis=0, descending=descending)
    assert ranked.get().tolist() == ([1, 1, 0, 0] if descending else [0, 0, 1, 1])


def test_special_functions_come_from_the_library_that_has_them():
    class Special:
        erf = len
        gammaln = max

    kernels = CupyBackend(strict_namespace, Special).kernels
    assert kernels["erf"] is len
    assert kernels["lgamma"] is max
    assert "erfinv" not in kernels
