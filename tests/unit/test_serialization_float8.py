"""Floats of eight bits: kept, cast, saved and read to the bit. Literals are PyTorch's."""

import io
import os
import subprocess
import sys

import pytest

import dispatchtorch as torch
from dispatchtorch.serialization import safetensors

pytest.importorskip("ml_dtypes")

KINDS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")


def bits(t):
    return t.contiguous().view(torch.uint8).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_all_bits_survive(name, tmp_path):
    dtype = getattr(torch, name)
    t = torch.arange(256, dtype=torch.uint8).view(dtype)
    buffer = io.BytesIO()
    torch.save({"t": t, "view": t[8:16].view(2, 4).t()}, buffer)
    buffer.seek(0)
    back = torch.load(buffer)
    assert back["t"].dtype is dtype
    assert bits(back["t"]) == list(range(256))
    assert bits(back["view"]) == [[8, 12], [9, 13], [10, 14], [11, 15]]
    safetensors.save_file({"t": t}, tmp_path / "a.safetensors")
    found = safetensors.load_file(tmp_path / "a.safetensors")["t"]
    assert (found.dtype, bits(found)) == (dtype, list(range(256)))
    if torch.default_backend().name == "numpy":
        assert bits(t.clone().share_memory_()) == list(range(256))


def test_casts_are_torchs():
    x = torch.tensor([1.0, 0.3, -448, 464, 465, 1e-3, float("inf"), float("nan")])
    assert bits(x.to(torch.float8_e4m3fn)) == [56, 42, 254, 126, 126, 1, 126, 127]
    assert x.to(torch.float8_e4m3fn).float().tolist()[:7] == [1, 0.3125, -448, 448, 448, 0.001953125, 448]
    assert bits(x.to(torch.float8_e5m2))[:7] == [60, 53, 223, 95, 95, 20, 124]
    assert torch.tensor([500, 3]).to(torch.float8_e4m3fn).float().tolist() == [448, 3]
    assert torch.zeros(2, dtype=torch.float8_e5m2).copy_(x[:2]).float().tolist() == [1, 0.3125]
    with pytest.raises(RuntimeError, match="Promotion for Float8 Types is not supported, attempted to promote"):
        x + x.to(torch.float8_e5m2)


PROGRAM = """
import sys
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model
names = "bool uint8 int16 int64 uint32 float16 bfloat16 float32 float64 float8_e4m3fn float8_e5m2".split()
tensors = {name: torch.ones(2, 4).to(getattr(torch, name)) for name in names}
save_file(tensors, sys.argv[1], metadata={"format": "pt"})
for found in (load_file(sys.argv[1]), load(save(tensors))):
    assert all(found[name].float().tolist() == t.float().tolist() for name, t in tensors.items())
    assert all(found[name].dtype == t.dtype for name, t in tensors.items())
with safe_open(sys.argv[1], framework="pt") as file:
    assert file.get_slice("float32")[0:1].tolist() == [[1, 1, 1, 1]]
first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
save_model(first, sys.argv[1])
assert load_model(second, sys.argv[1]) == (set(), [])
assert torch.equal(first.weight, second.weight)
try:
    save_file({"a": first.weight, "b": first.weight[0]}, sys.argv[1])
except RuntimeError as error:
    assert "Some tensors share memory" in str(error)
print(torch.__name__)
"""


def test_the_library_itself_runs_unmodified(tmp_path):
    pytest.importorskip("safetensors")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "dispatchtorch", "run", str(program), str(tmp_path / "a.safetensors")]
    environment = {**os.environ, "DISPATCHTORCH_BACKEND": "numpy"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert (done.stdout, done.stderr) == ("dispatchtorch\n", "")
