"""Writes tests/goldens/checkpoints/ with a real PyTorch: ``python tests/parity/record_checkpoints.py``."""

import json
import pathlib
import warnings

import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parents[1] / "goldens" / "checkpoints"

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
]  # fmt: skip


def every_dtype() -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Returns one tensor of odd bits for each dtype, and the bits in hexadecimal."""
    rng = np.random.default_rng(4)
    tensors, bits = {}, {}
    for name in DTYPES:
        dtype = getattr(torch, name)
        raw = rng.integers(0, 2 if name == "bool" else 256, 5 * dtype.itemsize, np.uint8)
        tensors[name] = torch.frombuffer(bytearray(raw.tobytes()), dtype=dtype)
        bits[name] = raw.tobytes().hex()
    return tensors, bits


def views() -> dict[str, object]:
    """Returns tensors that share storages, with strides, offsets and attributes."""
    x = torch.arange(12.0).view(3, 4)
    parameter = nn.Parameter(torch.tensor([1.5, -2.5]))
    marked = torch.tensor([7, 8])
    marked.note = "kept"
    return {
        "whole": x,
        "transposed": x.t()[1:, ::2],
        "row": x[2],
        "expanded": torch.tensor([3.0]).expand(2, 4),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "wants": torch.ones(2, requires_grad=True),
        "parameter": parameter,
        "again": parameter,
        "frozen": nn.Parameter(torch.ones(1), requires_grad=False),
        "buffer": nn.Buffer(torch.zeros(2), persistent=False),
        "marked": marked,
    }


def containers() -> dict[str, object]:
    """Returns what else a checkpoint may hold when only weights are wanted."""
    return {
        "numbers": [1, -1, 255, 65536, 2**70, -(2**70), 1.5, float("inf"), True, False, None, 1 + 2j],
        "text": ["", "a", "\u00e9\u4e2d\U0001f600", b"bytes", bytearray(b"more")],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "set": {1, 2, 3},
        "nested": {"a": [{"b": (torch.ones(1), [])}], 3: 4},
        "torch": [torch.Size([2, 3]), torch.device("cpu"), torch.device("cuda", 1), torch.float16, torch.strided],
    }


def trained() -> tuple[nn.Module, dict[str, object]]:
    """Returns a small model after two steps, and its checkpoint."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).sum().backward()
        optimizer.step()
        schedule.step()
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": 2,
    }
    return model, checkpoint


def class_names() -> dict[str, str]:
    """Returns where torch defines the classes that whole-object pickles name, by their public paths."""
    found = {}
    for door in ("nn", "optim", "optim.lr_scheduler"):
        module = torch
        for part in door.split("."):
            module = getattr(module, part)
        for name, thing in vars(module).items():
            if isinstance(thing, type) and not name.startswith("_") and thing.__module__.startswith("torch."):
                found[f"torch.{door}.{name}"] = f"{thing.__module__}.{thing.__qualname__}"
    return dict(sorted(found.items()))


def main() -> None:
    """Writes every file."""
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    tensors, bits = every_dtype()
    model, checkpoint = trained()
    for name, obj in {
        "dtypes": tensors, "views": views(), "containers": containers(), "trained": checkpoint, "model": model
    }.items():  # fmt: skip
        torch.save(obj, FOLDER / f"{name}.pt")
        if name != "model":  # the old format would bring the source of torch's classes along
            torch.save(obj, FOLDER / f"{name}_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.zeros(2, dtype=torch.float8_e4m3fn), FOLDER / "float8.pt")
    torch.save(torch.eye(2).to_sparse(), FOLDER / "sparse.pt")
    torch.serialization.set_crc32_options(False)
    torch.save({"a": torch.arange(3)}, FOLDER / "unchecked.pt")
    model.eval()
    facts = {
        "bits": bits,
        "weight": checkpoint["model"]["0.weight"].tolist(),
        "moments": checkpoint["optimizer"]["state"][0]["exp_avg"].tolist(),
        "running_mean": checkpoint["model"]["1.running_mean"].tolist(),
        "output": model(torch.ones(1, 3)).tolist(),
        "classes": class_names(),
    }
    (FOLDER / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
