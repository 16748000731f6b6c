"""What torch saved is read to the bit, and what is saved here comes back; from tests/parity/record_checkpoints.py."""

import gzip
import io
import json
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.tensor.tensor import read

CHECKPOINTS = pathlib.Path(__file__).parents[1] / "goldens" / "checkpoints"
FACTS = json.loads((CHECKPOINTS / "facts.json").read_text(encoding="utf-8"))
FORMATS = ["", "_legacy"]


def bits(t):
    return np.ascontiguousarray(t._key.backend.to_host(read(t))).reshape(-1).view(np.uint8).tobytes()


def through(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    return torch.load(buffer, **options)


# --- from torch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", sorted(FACTS["bits"]))
def test_every_dtype_is_read_to_the_bit(name, kind):
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    t = torch.load(CHECKPOINTS / f"dtypes{kind}.pt")[name]
    assert t.dtype is getattr(torch, name)
    assert t.shape == (5,)
    assert bits(t).hex() == FACTS["bits"][name]


def check_views(b):
    assert b["whole"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    t = b["transposed"]
    assert (t.tolist(), t.stride(), t.storage_offset()) == ([[1, 9], [2, 10], [3, 11]], (1, 8), 1)
    assert b["row"].storage_offset() == 8
    assert (b["expanded"].tolist(), b["expanded"].stride()) == ([[3.0] * 4] * 2, (0, 0))
    assert b["empty"].shape == (0, 3)
    assert b["scalar"].shape == ()
    assert b["scalar"].item() == 2.5
    assert b["wants"].requires_grad
    assert not b["whole"].requires_grad
    assert b["parameter"] is b["again"]
    assert type(b["parameter"]) is torch.nn.Parameter
    assert b["parameter"].requires_grad
    assert not b["frozen"].requires_grad
    assert isinstance(b["buffer"], torch.nn.Buffer)
    assert b["buffer"].persistent is False
    assert b["marked"].note == "kept"
    b["whole"][0, 1] = 99.0
    b["row"][0] = -1.0
    assert b["transposed"][0].tolist() == [99, 9]
    assert b["whole"][2, 0].item() == -1


@pytest.mark.parametrize("kind", FORMATS)
def test_views_keep_strides_offsets_and_the_memory_they_share(kind):
    check_views(torch.load(CHECKPOINTS / f"views{kind}.pt"))


@pytest.mark.parametrize("kind", FORMATS)
def test_containers_and_plain_values(kind):
    b = torch.load(CHECKPOINTS / f"containers{kind}.pt")
    assert b["numbers"] == [1, -1, 255, 65536, 2**70, -(2**70), 1.5, float("inf"), True, False, None, 1 + 2j]
    assert b["text"] == ["", "a", "\u00e9\u4e2d\U0001f600", b"bytes", bytearray(b"more")]
    assert b["tuples"] == ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))
    assert b["set"] == {1, 2, 3}
    assert b["nested"]["a"][0]["b"][0].tolist() == [1]
    assert b["nested"][3] == 4
    size, cpu, cuda, dtype, layout = b["torch"]
    assert type(size) is torch.Size
    assert size == (2, 3)
    assert (cpu, cuda, dtype) == (torch.device("cpu"), torch.device("cuda:1"), torch.float16)
    assert layout is torch.strided


@pytest.mark.parametrize("kind", FORMATS)
def test_a_trained_model_and_its_optimizer_go_on(kind):
    b = torch.load(CHECKPOINTS / f"trained{kind}.pt")
    assert isinstance(b["model"], OrderedDict)
    assert b["model"]._metadata["1"] == {"version": 2}
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters())
    assert str(model.load_state_dict(b["model"])) == "<All keys matched successfully>"
    optimizer.load_state_dict(b["optimizer"])
    assert model[0].weight.tolist() == FACTS["weight"]
    assert model[1].running_mean.tolist() == FACTS["running_mean"]
    assert optimizer.state[model[0].weight]["exp_avg"].tolist() == FACTS["moments"]
    model.eval()
    assert np.allclose(model(torch.ones(1, 3)).tolist(), FACTS["output"], atol=1e-6)


def test_a_whole_model_of_torchs_becomes_one_of_ours():
    model = torch.load(CHECKPOINTS / "model.pt", weights_only=False)
    assert type(model) is torch.nn.Sequential
    model.eval()
    assert np.allclose(model(torch.ones(1, 3)).tolist(), FACTS["output"], atol=1e-6)


def test_a_file_without_checksums_is_read():
    assert torch.load(CHECKPOINTS / "unchecked.pt")["a"].tolist() == [0, 1, 2]


def test_what_we_do_not_have_is_named():
    stream = b"\x80\x02ctorch\nqint8\n."
    buffer = io.BytesIO()
    torch.save(1, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(other := io.BytesIO(), "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, stream if entry.filename.endswith("data.pkl") else old.read(entry))
    other.seek(0)
    with pytest.raises(RuntimeError, match=r"torch\.qint8, which dispatchtorch does not have"):
        torch.load(other)


def test_our_classes_are_written_under_torchs_names():
    from dispatchtorch.serialization.names import public_name

    found = {}
    for path, theirs in FACTS["classes"].items():
        door, _, name = path.rpartition(".")
        module = torch
        for part in door.split(".")[1:]:
            module = getattr(module, part, None)
        ours = getattr(module, name, None)
        if isinstance(ours, type):
            written = public_name(ours)
            found[path] = (f"{written.module}.{written.name}", theirs)
    assert len(found) > 80
    assert {path: pair for path, pair in found.items() if pair[0] != pair[1]} == {}


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dtypes", "views", "containers", "trained"])
def test_saved_again_it_is_the_same(name):
    first = torch.load(CHECKPOINTS / f"{name}.pt")
    again = through(first)
    if name == "views":
        check_views(again)
    elif name == "dtypes":
        assert {k: bits(t).hex() for k, t in again.items()} == FACTS["bits"]
    elif name == "containers":
        assert {k: v for k, v in again.items() if k != "nested"} == {k: v for k, v in first.items() if k != "nested"}
    else:
        assert again["model"]["0.weight"].tolist() == FACTS["weight"]
        assert again["model"]._metadata == first["model"]._metadata


def test_records_lie_at_multiples_of_64_under_torchs_names(tmp_path):
    path = tmp_path / "model.best.pt"
    torch.save({"a": torch.arange(3), "b": torch.ones(2)}, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        starts = [archive.open(n)._orig_compress_start for n in names]
    assert names == [
        f"model.best/{n}"
        for n in (
            "data.pkl",
            ".storage_alignment",
            "byteorder",
            "data/0",
            "data/1",
            "version",
            ".data/serialization_id",
        )
    ]
    assert [s % 64 for s in starts] == [0] * len(names)


def test_only_the_storage_that_is_shared_is_written_once():
    x = torch.arange(1000)
    buffer = io.BytesIO()
    torch.save([x[i] for i in range(100)], buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert [n for n in archive.namelist() if "/data/" in n] == ["archive/data/0"]


def test_one_memory_as_two_dtypes_is_refused():
    x = torch.zeros(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        torch.save([x, x.view(torch.int32)], io.BytesIO())


def test_a_storage_is_saved_beside_its_tensor():
    x = torch.arange(4)
    t, storage = through([x, x.storage()])
    assert storage.data_ptr() == t.data_ptr()


def test_a_saved_result_is_a_leaf():
    x = torch.ones(2, requires_grad=True)
    y = through(x * 2)
    assert y.requires_grad
    assert y.is_leaf


def test_whole_models_and_classes_of_a_program():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
    again = through(model, weights_only=False)
    assert again(torch.ones(1, 2)).tolist() == model(torch.ones(1, 2)).tolist()
    assert through({"f": json.dumps}, weights_only=False)["f"] is json.dumps


# --- where to --------------------------------------------------------------------------------------------------------


def test_map_location(tmp_path):
    path = tmp_path / "x.pt"
    torch.save(torch.ones(2), path)
    seen = []
    for where in ("cpu", b"cpu", torch.device("cpu"), {"cpu": "cpu"}, lambda s, tag: seen.append(tag) or s.cpu()):
        assert torch.load(path, map_location=where).tolist() == [1, 1]
    assert torch.load(path, map_location=lambda s, tag: None).tolist() == [1, 1]
    assert seen == ["cpu"]
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        torch.load(path, map_location="nowhere")
    with pytest.raises(RuntimeError, match=r"on a MPS device but torch\.mps\.is_available\(\) is False"):
        torch.load(path, map_location="mps")


def test_mmap_shares_the_file_but_never_writes_it(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(6).view(2, 3)}, path)
    before = path.read_bytes()
    a = torch.load(path, mmap=True)["a"]
    a.add_(1)
    assert a.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="f must be a file path"):
        torch.load(io.BytesIO(before), mmap=True)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        torch.load(CHECKPOINTS / "views_legacy.pt", mmap=True)


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(AttributeError, match="with a 'write' attribute"):
        torch.save(1, 5)
    with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seekable"):
        torch.load(5)
    with pytest.raises(RuntimeError, match=r"Parent directory .*nope does not exist"):
        torch.save(1, tmp_path / "nope" / "x.pt")
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "none.pt")


@pytest.mark.parametrize("name", ["views.pt", "views_legacy.pt"])
def test_a_compressed_file_and_one_that_only_reads(name, tmp_path):
    data = (CHECKPOINTS / name).read_bytes()
    with gzip.open(tmp_path / "x.gz", "wb") as out:
        out.write(data)
    with gzip.open(tmp_path / "x.gz", "rb") as packed:
        check_views(torch.load(packed))
    with open(CHECKPOINTS / name, "rb", buffering=0) as raw:
        check_views(torch.load(raw))


def test_other_protocols_need_trust():
    buffer = io.BytesIO()
    torch.save([torch.ones(2), torch.float16], buffer, pickle_protocol=5)
    t, dtype = torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert (t.tolist(), dtype) == ([1, 1], torch.float16)
    with (
        pytest.warns(UserWarning, match="Detected pickle protocol 5"),
        pytest.raises(pickle.UnpicklingError, match="Unsupported operand 149"),
    ):
        torch.load(io.BytesIO(buffer.getvalue()))


def test_a_save_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path):
    path = tmp_path / "x.pt"
    torch.save(torch.ones(1), path)
    os.chmod(path, 0o640)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        torch.save([torch.zeros(1), lambda: 0], path)
    assert torch.load(path).tolist() == [1]
    torch.save(torch.zeros(1), path)
    assert torch.load(path).tolist() == [0]
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["x.pt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "latest.pt"
    link.symlink_to(tmp_path / "there" / "x.pt")
    torch.save(3, link)
    assert link.is_symlink()
    assert torch.load(tmp_path / "there" / "x.pt") == 3


def test_importing_the_package_does_not_import_this_room():
    code = "import sys, dispatchtorch; print([m for m in sys.modules if 'serialization' in m or m == 'zipfile'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
