"""safetensors files: written as the format says, read to the bit, believed in nothing."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dispatchtorch as torch
from dispatchtorch.serialization.safetensors import SafetensorError, load, load_file, save, save_file


def forged(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_the_bytes_are_the_formats():
    data = save({"b": torch.tensor([1, 2], dtype=torch.uint8), "a": torch.tensor([[1.5]])}, {"format": "pt"})
    (length,) = struct.unpack("<Q", data[:8])
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
        "b": {"dtype": "U8", "shape": [2], "data_offsets": [4, 6]},
    }
    assert data[8 + length :] == struct.pack("<fBB", 1.5, 1, 2)


NAMES = "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64"


@pytest.mark.parametrize("name", NAMES.split())
def test_every_dtype(name, tmp_path):
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    t = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, name))
    save_file({"x": t.t(), "scalar": t[0, 1].clone(), "none": t[:0]}, tmp_path / "x.safetensors")
    back = load_file(tmp_path / "x.safetensors")
    assert back["x"].dtype is t.dtype
    assert back["x"].tolist() == t.t().tolist()
    assert back["x"].is_contiguous()
    assert back["scalar"].shape == ()
    assert back["none"].shape == (0, 3)
    back["x"].zero_()
    assert torch.load(tmp_path / "x.safetensors")["x"].tolist() != back["x"].tolist()


def test_shared_memory_is_refused():
    x = torch.ones(3)
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save({"a": x, "b": x.view(3, 1)})
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save({"a": x[1:], "b": x[:2]})
    assert load(save({"a": x[1:], "b": x[:1]}))["a"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="Key `a` is invalid, expected"):
        save({"a": 1})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        forged(b"{}", length=1 << 60),
        forged(b"{}", length=3),
        forged(b"\xff\xff"),
        forged(b"[]"),
        forged(b"[" * 100_000),
        forged({"a": 1}),
        forged({"a": entry()}),
        forged({"a": entry()}, bytes(9)),
        forged({"a": entry(shape=(1 << 61, 4))}, bytes(8)),
        forged({"a": entry(shape=(3,))}, bytes(8)),
        forged({"a": entry(shape=(-2,))}, bytes(8)),
        forged({"a": entry(shape=("2",))}, bytes(8)),
        forged({"a": entry(begin=8, end=16)}, bytes(16)),
        forged({"a": entry(), "b": entry()}, bytes(8)),
        forged({"a": entry(begin=8, end=0)}, bytes(8)),
        forged({"a": entry(dtype="F8_E4M3")}, bytes(8)),
        forged({"a": entry(dtype=[])}, bytes(8)),
        forged(
            b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
        ),
    ],
    ids=range(20),
)
def test_files_that_lie(data):
    with pytest.raises(SafetensorError):
        load(data)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 40))
def test_mutated_files_load_or_fail_cleanly(at, byte, cut):
    data = bytearray(save({"a": torch.ones(3), "b": torch.arange(4).view(2, 2)}))
    data[at % len(data)] = byte
    try:
        load(bytes(data[: len(data) - cut]))
    except SafetensorError:
        pass
