"""What ``torch.serialization`` lets one set, and what is written then. Files are read by torch as well; see parity."""

import io
import mmap
import pickle
import types
import zipfile

import pytest

import dispatchtorch as torch
from dispatchtorch import serialization
from dispatchtorch.serialization import places


def saved(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer, **options)
    buffer.seek(0)
    return buffer


def test_without_checksums():
    assert serialization.get_crc32_options() is True
    serialization.set_crc32_options(False)
    try:
        buffer = saved({"a": torch.arange(300), "b": "text"})
    finally:
        serialization.set_crc32_options(True)
    assert {entry.CRC for entry in zipfile.ZipFile(buffer).infolist()} == {0}
    data = buffer.getvalue()
    assert data.index(torch.arange(300).numpy().tobytes()) % 64 == 0
    buffer.seek(0)
    assert torch.load(buffer)["a"].tolist() == list(range(300))


def test_data_are_skipped():
    with serialization.skip_data():
        buffer = saved([torch.ones(5), "text"])
    assert len(buffer.getvalue()) >= len(saved([torch.ones(5), "text"]).getvalue()) - 64
    assert torch.load(buffer)[0].tolist() == [0] * 5
    full = saved([torch.ones(5), "text"])
    with serialization.skip_data():
        t, text = torch.load(full)
    assert (t.tolist(), text) == ([0] * 5, "text")
    with serialization.skip_data(), pytest.raises(RuntimeError, match="Cannot use skip_data=True with _use_new"):
        saved(torch.ones(1), _use_new_zipfile_serialization=False)


@pytest.mark.skipif(torch.default_backend().name != "numpy", reason="a map is the host's memory")
def test_maps_may_be_shared(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"x": torch.arange(4)}, path)
    assert serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    torch.load(path, mmap=True)["x"][0] = 7
    assert torch.load(path)["x"][0] == 0
    with serialization.set_default_mmap_options(mmap.MAP_SHARED):
        torch.load(path, mmap=True)["x"][0] = 7
    assert serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    assert torch.load(path)["x"].tolist() == [7, 1, 2, 3]
    with pytest.raises(ValueError, match=r"expected mmap\.MAP_PRIVATE or mmap\.MAP_SHARED, but got 9"):
        serialization.set_default_mmap_options(9)


def test_byte_order_of_files_that_do_not_say():
    buffer = saved(torch.arange(2, dtype=torch.int16), _disable_byteorder_record=True)
    serialization.set_default_load_endianness(serialization.LoadEndianness.BIG)
    try:
        assert torch.load(buffer).tolist() == [0, 256]
        assert serialization.get_default_load_endianness() is serialization.LoadEndianness.BIG
    finally:
        serialization.set_default_load_endianness(None)
    buffer.seek(0)
    assert torch.load(buffer).tolist() == [0, 1]
    with pytest.raises(TypeError, match="Invalid argument type in function set_default_load_endianness"):
        serialization.set_default_load_endianness("big")


def test_the_old_format_is_written():
    t = torch.arange(6.0)
    linear = torch.nn.Linear(2, 1)
    buffer = saved({"t": t, "view": t[2:4], "half": torch.ones(2).bfloat16(), "w": linear.state_dict()},
                   _use_new_zipfile_serialization=False)  # fmt: skip
    back = torch.load(buffer)
    assert back["t"].tolist() == t.tolist()
    back["view"].zero_()
    assert back["t"].tolist() == [0, 1, 0, 0, 4, 5]
    assert back["half"].dtype is torch.bfloat16
    assert back["w"]["weight"].tolist() == linear.weight.tolist()


def test_packages_are_asked_by_priority():
    before = list(places._packages)
    try:
        serialization.register_package(
            5, lambda storage: "mine" if storage.nbytes() == 12 else None, lambda s, tag: s if tag == "mine" else None
        )
        buffer = saved([torch.arange(3.0), torch.arange(4.0)])
        assert b"mine" in buffer.getvalue()
        assert torch.load(buffer)[0].tolist() == [0, 1, 2]
        assert serialization.location_tag(torch.arange(3.0).untyped_storage()) == "mine"
    finally:
        places._packages[:] = before
    buffer.seek(0)
    with pytest.raises(
        RuntimeError, match=r"restore data location of torch\.storage\.UntypedStorage \(tagged with mine"
    ):
        torch.load(buffer)
    assert torch.load(io.BytesIO(buffer.getvalue()), map_location="cpu")[0].tolist() == [0, 1, 2]


class _Pickler(pickle._Pickler):
    pass


class _Unpickler(pickle._Unpickler):
    def find_class(self, module, name):
        return super().find_class(module, name)


def test_other_modules_may_pickle():
    module = types.ModuleType("other")
    module.Pickler, module.Unpickler = _Pickler, _Unpickler
    for new in (True, False):
        buffer = saved([torch.ones(2), torch.float32, {1, 2}], pickle_module=module, _use_new_zipfile_serialization=new)
        t, dtype, numbers = torch.load(buffer, pickle_module=module)
        assert (t.tolist(), dtype, numbers) == ([1, 1], torch.float32, {1, 2})
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"):
        torch.load(buffer, pickle_module=module, weights_only=True)
    module.Pickler = type("Compiled", (pickle.Pickler,), {})
    with pytest.raises(NotImplementedError, match=r"torch.save cannot write with other\.Pickler"):
        saved(1, pickle_module=module)
    old = types.ModuleType("dill")
    old.__version__ = "0.2.9"
    with pytest.raises(ValueError, match=r"'torch' supports dill >= 0\.3\.1, but you have dill 0\.2\.9"):
        saved(1, pickle_module=old)


def test_versions_and_storage_types():
    check = serialization.check_module_version_greater_or_equal
    module = types.SimpleNamespace(__name__="m", __version__="1.x")
    with pytest.raises(RuntimeError, match=r"'m' module version string is malformed '1.x' and cannot be compared with"):
        check(module, (1, 2))
    with pytest.warns(UserWarning, match="but continuing assuming that requirement is met"):
        assert check(module, (1, 2), error_if_malformed=False)
    assert str(serialization.StorageType("FloatStorage")) == "StorageType(dtype=torch.float32)"
    assert serialization.normalize_storage_type(torch.LongStorage) is torch.LongStorage
    assert serialization.storage_to_tensor_type(torch.ones(1).storage()) is torch.FloatTensor
