"""No checkpoint runs code, asks for more memory than it has bytes, or fails without saying why."""

import io
import os
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dispatchtorch as torch
from tests.unit.fuzz_checkpoints import attempt, mutated, seeds

CHECKPOINTS = pathlib.Path(__file__).parents[1] / "goldens" / "checkpoints"


def archived(stream, *records, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in (("data.pkl", stream), ("byteorder", b"little"), *records, ("version", b"3\n")):
            archive.writestr(f"archive/{name}", data)
    buffer.seek(0)
    return buffer


def tensor_stream(key="0", numel=2, offset=0, size=(2,), stride=(1,), kind="FloatStorage"):
    """Returns a stream with one tensor that claims what it is told to claim."""

    class Name:
        def __init__(self, module, name):
            self.path = (module, name)

        def __call__(self):
            """Callable, as pickle wants it."""

    class Pickler(pickle._Pickler):
        def persistent_id(self, obj):
            if obj == "THE STORAGE":
                return ("storage", Name("torch", kind), key, "cpu", numel)
            return None

        def save(self, obj, save_persistent_id=True):
            if isinstance(obj, Name):
                self.write(b"c%s\n%s\n" % (obj.path[0].encode(), obj.path[1].encode()))
                return
            super().save(obj, save_persistent_id)

        def reducer_override(self, obj):
            if obj is marker:
                args = ("THE STORAGE", offset, size, stride, False, OrderedDict())
                return Name("torch._utils", "_rebuild_tensor_v2"), args
            return NotImplemented

    marker = object()
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(marker)
    return buffer.getvalue()


FLOATS = ("data/0", struct.pack("<2f", 1.5, 2.5))


def test_the_forger_can_also_be_honest():
    assert torch.load(archived(tensor_stream(), FLOATS)).tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "claims",
    [
        {"numel": 1 << 60},
        {"numel": 1 << 200},
        {"numel": -1},
        {"numel": 3},
        {"numel": True},
        {"numel": "2"},
        {"kind": "DoubleStorage"},
        {"size": (3,)},
        {"size": (1 << 61,)},
        {"size": (1 << 61,), "stride": (1 << 61,)},
        {"size": (-1,)},
        {"size": (2, 2)},
        {"size": (2.0,)},
        {"size": (1,) * 65, "stride": (1,) * 65},
        {"stride": (-1,), "offset": 1},
        {"stride": (1 << 70,)},
        {"offset": 1},
        {"offset": -1},
        {"offset": 1 << 62},
        {"key": "1"},
        {"key": "../../etc/passwd"},
        {"key": "/etc/passwd"},
        {"key": 0},
    ],
    ids=str,
)
def test_lies_about_tensors(claims):
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        torch.load(archived(tensor_stream(**claims), FLOATS))


class Runs:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function", [os.system, os.remove, eval, exec, __import__, getattr, print, pickle.loads, torch.load, open, type]
)
def test_code_is_not_run(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream = pickle.dumps(Runs(function, "open('pwned', 'w')"), 2)
    for file in (archived(stream), io.BytesIO(stream)):
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            torch.load(file)
    assert os.listdir(tmp_path) == []


def test_what_is_refused_is_named_in_torchs_words():
    stream = pickle.dumps(Runs(eval, "1"), 2)
    with pytest.raises(pickle.UnpicklingError) as caught:
        torch.load(archived(stream))
    assert (
        "Unsupported global: GLOBAL eval was not an allowed global by default. "
        "Please use `torch.serialization.add_safe_globals([eval])` or the "
        "`torch.serialization.safe_globals([eval])` context manager to allowlist this global "
        "if you trust this class/function." in str(caught.value)
    )
    assert torch.serialization.get_unsafe_globals_in_checkpoint(archived(stream)) == ["builtins.eval"]


def test_modules_that_are_blocked_stay_blocked():
    stream = pickle.dumps(Runs(os.system, "true"), 2)
    with (
        torch.serialization.safe_globals([os.system]),
        pytest.raises(pickle.UnpicklingError, match=r"whose module posix is blocked|whose module nt is blocked"),
    ):
        torch.load(archived(stream))


class Point:
    def __init__(self, x):
        self.x = x


def test_the_user_may_allow_a_class():
    buffer = io.BytesIO()
    torch.save(Point(3), buffer)
    with pytest.raises(pickle.UnpicklingError, match="Point was not an allowed global"):
        torch.load(io.BytesIO(buffer.getvalue()))
    with torch.serialization.safe_globals([Point]):
        assert torch.serialization.get_safe_globals() == [Point]
        assert torch.load(io.BytesIO(buffer.getvalue())).x == 3
    assert torch.serialization.get_safe_globals() == []
    torch.serialization.add_safe_globals([(Point, f"{Point.__module__}.Point")])
    assert torch.load(io.BytesIO(buffer.getvalue())).x == 3
    torch.serialization.clear_safe_globals()
    assert torch.serialization.get_safe_globals() == []


def test_the_user_may_allow_torchs_classes():
    allowed = [torch.nn.Sequential, torch.nn.Linear, torch.nn.BatchNorm1d, torch.nn.ReLU]
    with torch.serialization.safe_globals(allowed):
        assert type(torch.load(CHECKPOINTS / "model.pt")) is torch.nn.Sequential


@pytest.mark.parametrize(
    "stream",
    [
        b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",  # a length to allocate
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
        b"\x80\x02X\xff\xff\xff\xffabc.",  # a text of 4 GB
        b"\x80\x02\x8a\xff\x01.",
        b"\x80\x02" + b")" + b"\x85" * 200_000 + b"}" + b")" + b"s.",
        b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"Ns.",  # a key whose hash would overflow C's stack
        b"\x80\x02}" + b")" + b"".join(b"q\x00h\x00\x86" for _ in range(200)) + b"Ns.",  # ... or never end
        b"\x80\x02}]Ns.",
        b"\x80\x02ctorch\nTensor\n)R.",
        b"\x80\x02ctorch\nTensor\n)\x81.",
        b"\x80\x02ctorch.nn.parameter\nParameter\nK\x01\x85R.",
        b"\x80\x02ctorch\nSize\nK\x05\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aK\x01sb",
        b"\x80\x02.",
        b"\x80\x02t.",
        b"\x80\x02a.",
        b"\x80\x02h\x05.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02)Q.",
        b"\x80\x02\x95.",
        b"",
        b"c" + b"a" * 5000,
    ],
    ids=range(22),
)
def test_streams_that_make_no_sense(stream):
    for file in (archived(stream), io.BytesIO(stream)):
        with pytest.raises((pickle.UnpicklingError, EOFError, RuntimeError)):
            torch.load(file)


@pytest.mark.parametrize(
    "copy",
    [
        b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R",
        b"ccollections\nOrderedDict\nh\x01\x85R",
        b"c__builtin__\nset\nh\x02\x85R",
        b"ccollections\nOrderedDict\n)Rh\x03b",
    ],
    ids=["bytes", "dict", "set", "attributes"],
)
def test_copying_one_thing_again_and_again_has_an_end(copy):
    text = b"X" + struct.pack("<I", 40_000) + b"a" * 40_000 + b"q\x00"
    pairs = b"](" + b"".join(b"M%sN\x86" % struct.pack("<H", n) for n in range(9_000)) + b"eq\x01"
    items = b"](" + b"".join(b"M%s" % struct.pack("<H", n) for n in range(9_000)) + b"eq\x02"
    names = b"}(" + b"".join(b"X\x04\x00\x00\x00%04dN" % n for n in range(9_000)) + b"uq\x03"
    stream = b"\x80\x02](" + text + pairs + items + names + copy * 3_000 + b"e."
    with pytest.raises(pickle.UnpicklingError, match="copies more than a file of its size"):
        torch.load(archived(stream))


def test_deep_nesting_is_only_data():
    deep = torch.load(archived(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."))
    assert type(deep) is list
    while deep:
        deep = deep.pop()


def test_a_compressed_archive_is_refused():
    stream = tensor_stream(numel=1 << 24, size=(1 << 24,))
    bomb = archived(stream, ("data/0", bytes(1 << 26)), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(RuntimeError, match="claim more bytes than the file has"):
        torch.load(bomb)
    with pytest.raises(RuntimeError, match="compressed or encrypted"):
        torch.load(archived(tensor_stream(), FLOATS, method=zipfile.ZIP_DEFLATED))


def test_entries_that_share_bytes_are_refused():
    whole = bytearray(archived(tensor_stream(), FLOATS, ("data/1", bytes(4000))).getvalue())
    directory = whole.index(b"PK\x01\x02")
    first = whole.index(b"archive/data/1", directory) - 46
    entry = whole[first : first + 46 + len("archive/data/1")]
    end = whole.index(b"PK\x05\x06")
    extra = b"".join(bytes(entry).replace(b"archive/data/1", b"archive/data/%c" % (65 + n)) for n in range(20))
    forged = bytearray(whole[:end] + extra + whole[end:])
    tail = forged.index(b"PK\x05\x06")
    count, size = struct.unpack("<H", forged[tail + 10 : tail + 12])[0] + 20, tail - directory
    forged[tail + 8 : tail + 16] = struct.pack("<HHI", count, count, size)
    with pytest.raises(RuntimeError, match="claim more bytes than the file has"):
        torch.load(io.BytesIO(forged))


def test_a_name_that_comes_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = archived(tensor_stream(), FLOATS, FLOATS)
    with pytest.raises(RuntimeError, match="there twice"):
        torch.load(file)


def test_a_flipped_bit_is_found():
    buffer = io.BytesIO()
    torch.save(torch.arange(100), buffer)
    data = bytearray(buffer.getvalue())
    data[data.index(struct.pack("<2q", 41, 42))] ^= 1
    with pytest.raises(RuntimeError, match="checksum"):
        torch.load(io.BytesIO(data))


@pytest.mark.parametrize("name", ["views.pt", "views_legacy.pt", "trained.pt", "trained_legacy.pt"])
def test_a_file_that_ends_early_is_an_error(name):
    data = (CHECKPOINTS / name).read_bytes()
    for end in range(0, len(data) - 1, max(1, len(data) // 97)):
        with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
            torch.load(io.BytesIO(data[:end]))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_mutated_files_load_or_fail_cleanly(seed):
    attempt(mutated(seeds(), seed))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(max_examples=150, deadline=None)
@given(stream=st.binary(max_size=200))
def test_random_streams_load_or_fail_cleanly(stream):
    attempt(archived(b"\x80\x02" + stream).getvalue())
    attempt(stream)
