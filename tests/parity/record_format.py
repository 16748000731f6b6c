"""Record how PyTorch prints tensors, or compare with it directly.

Needs PyTorch 2.13 beside the package::

    python tests/parity/record_format.py               # writes tests/goldens/format.json
    python tests/parity/record_format.py --fuzz 20000  # compares that many random cases, writes nothing

A case holds the bytes of its values, so that a test can rebuild them exactly. Types that NumPy lacks are written as the
next wider one that it has.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

GOLDENS = Path(__file__).parents[1] / "goldens" / "format.json"
SEED = 20130
WIDER = {
    "bfloat16": "float32",
    "float8_e4m3fn": "float32",
    "float8_e5m2": "float32",
    "complex32": "complex64",
}
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
COMPLEXES = ("complex64", "complex128", "complex32")
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 1e-4, 9.9e-5, 1e8, 1.0001e8, 0.99995, 9.99995, 1e-38)


def draw_floats(rng: random.Random, count: int) -> list[float]:
    """Return floats of one of the characters that select different notations."""
    scale = rng.choice((1.0, 1.0, 10.0, 1000.0, 1e-3, 1e5, 1e8, 1e-5, 1e20, 1e-30, 1e120, 1e-200))
    character = rng.randrange(7)
    if character == 0:
        values = [float(rng.randint(-20, 20)) for _ in range(count)]
    elif character == 1:
        values = [math.floor(scale * rng.gauss(0, 1) * 10) * 1.0 for _ in range(count)]
    elif character == 2:
        values = [rng.choice((0.0, -0.0)) for _ in range(count)]
    elif character == 3:
        values = [10.0 ** rng.uniform(-5, 9) for _ in range(count)]
    elif character == 4:
        values = [rng.uniform(0, 1) * scale for _ in range(count)]
    else:
        values = [rng.gauss(0, 1) * scale for _ in range(count)]
    share = rng.choice((0.0, 0.0, 0.1, 0.5, 1.0))
    return [rng.choice(SPECIAL) if rng.random() < share else value for value in values]


def draw_tensor(rng: random.Random, dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a random tensor of that dtype and shape."""
    count = math.prod(shape)
    kind = getattr(torch, dtype)
    if dtype == "bool":
        share = rng.choice((0.0, 0.5, 1.0))
        return torch.tensor([rng.random() < share for _ in range(count)], dtype=kind).reshape(shape)
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        spread = rng.choice((1, 9, 10, 100, 10**6, 2**64))
        low, high = max(int(limits.min), -spread), min(int(limits.max), spread)
        low = rng.choice((low, max(low, 0), max(low, -1)))
        values = np.array([rng.randint(low, high) for _ in range(count)], dtype=dtype)
        return torch.from_numpy(values).reshape(shape)
    if dtype in COMPLEXES:
        parts = [torch.tensor(draw_floats(rng, count), dtype=torch.float64) for _ in range(2)]
        return torch.complex(*parts).to(kind).reshape(shape)
    return torch.tensor(draw_floats(rng, count), dtype=torch.float64).to(kind).reshape(shape)


def draw_shape(rng: random.Random) -> tuple[int, ...]:
    """Return a random shape: scalars, empties, rows that wrap and blocks that are summarised among them."""
    rank = rng.choice((0, 1, 1, 1, 2, 2, 3, 4))
    sizes = {
        0: (),
        1: (0, 1, 2, 5, 7, 13, 40),
        2: (0, 1, 2, 3, 5, 8, 11),
        3: (0, 1, 2, 3, 7),
        4: (1, 2, 3),
    }[rank]
    return tuple(rng.choice(sizes[1:] if sizes[0] == 0 and rng.random() < 0.9 else sizes) for _ in range(rank))


def draw_options(rng: random.Random) -> dict[str, Any]:
    """Return keyword arguments for ``set_printoptions``, mostly none or few."""
    options: dict[str, Any] = {}
    for name, choices in {
        "precision": (0, 1, 2, 3, 6, 10, 17),
        "threshold": (0, 1, 5, 20, math.inf),
        "edgeitems": (0, 1, 2, 4, 10),
        "linewidth": (1, 10, 20, 40, 79, 81, 120, 1000),
        "sci_mode": (True, False),
        "profile": ("default", "short", "full", "unheard of"),
    }.items():
        if rng.random() < 0.25:
            options[name] = rng.choice(choices)
    return options


def draw_case(rng: random.Random) -> tuple[torch.Tensor, dict[str, Any], dict[str, Any]]:
    """Return a random tensor, the facts that are printed beside its values, and print options."""
    dtype = rng.choice(
        ("float32",) * 5 + FLOATS + INTEGERS + COMPLEXES + ("bool", "float8_e4m3fn", "float8_e5m2", "complex64")
    )
    tensor = draw_tensor(rng, dtype, draw_shape(rng))
    facts: dict[str, Any] = {
        "dtype": dtype,
        "default_dtype": rng.choice(("float32",) * 4 + ("float64", "float16", "bfloat16")),
        "device": rng.choice((None,) * 4 + ("cpu",)),
        "requires_grad": False,
        "grad_fn": None,
    }
    if dtype in FLOATS + COMPLEXES[:2] and rng.random() < 0.3:
        tensor.requires_grad_()
        facts["requires_grad"] = True
        if rng.random() < 0.5:
            tensor = tensor.clone()
            facts["grad_fn"] = "CloneBackward0"
    return tensor, facts, draw_options(rng) if rng.random() < 0.7 else {}


def print_with_torch(tensor: torch.Tensor, facts: dict[str, Any], options: dict[str, Any]) -> str:
    """Return PyTorch's text. A device is named when it is not the default one, so another default is pretended."""
    pretended = "cuda" if facts["device"] == "cpu" else "cpu"
    original = torch._C._get_default_device
    default = torch.get_default_dtype()
    try:
        torch._C._get_default_device = lambda: pretended
        torch.set_default_dtype(getattr(torch, facts["default_dtype"]))
        with torch._tensor_str.printoptions(**options):
            return repr(tensor)
    finally:
        torch._C._get_default_device = original
        torch.set_default_dtype(default)


def host_values(tensor: torch.Tensor, dtype: str) -> np.ndarray[Any, Any]:
    """Return the values in a NumPy type that holds them exactly."""
    return tensor.detach().to(getattr(torch, WIDER.get(dtype, dtype))).numpy()


def fixed_cases() -> list[tuple[torch.Tensor, dict[str, Any], dict[str, Any]]]:
    """Return the cases that are too large or too particular to be drawn."""
    rng = random.Random(SEED)
    plain = {"default_dtype": "float32", "device": None, "requires_grad": False, "grad_fn": None}
    tensors = [
        draw_tensor(rng, "int8", shape) for shape in ((1001,), (4, 260), (11, 11, 11), (6, 6, 6, 6), (2, 7, 3, 41))
    ]
    tensors += [torch.arange(1200.0).to(torch.float16), torch.zeros(0, dtype=torch.int64), torch.zeros(3, 0)]
    tensors += [torch.tensor(value) for value in (*SPECIAL, 3, True, 1 + 2j, complex(math.nan, -0.0))]
    tensors += [torch.tensor([value, 1.5]) for value in SPECIAL]
    tensors += [torch.tensor([value, 2.0]) for value in SPECIAL]
    tensors += [torch.tensor(value, dtype=torch.float64) for value in SPECIAL]
    tensors += [torch.full((12,), 0.5, dtype=torch.float64), torch.full((30,), False)]
    tensors += [torch.full((2, 2), 5e-324, dtype=torch.float64)]
    tensors += [
        torch.tensor([1e-100, 1.0, -1.0], dtype=torch.float64),
        torch.tensor([9.99996e99, -1.0], dtype=torch.float64),
    ]
    return [(tensor, {"dtype": str(tensor.dtype).removeprefix("torch."), **plain}, {}) for tensor in tensors]


def record(count: int) -> None:
    """Return nothing; write the fixed cases and that many random ones."""
    rng = random.Random(SEED)
    cases = []
    for tensor, facts, options in [*fixed_cases(), *(draw_case(rng) for _ in range(count))]:
        values = host_values(tensor, facts["dtype"])
        cases.append(
            {
                "wire": str(values.dtype),
                "shape": list(tensor.shape),
                "data": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
                "facts": facts,
                "options": options,
                "text": print_with_torch(tensor, facts, options),
            }
        )
    lines = ",\n".join(json.dumps(case) for case in cases)
    GOLDENS.write_text(f'{{"torch": "{torch.__version__.partition("+")[0]}", "cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {GOLDENS.stat().st_size} bytes")


def fuzz(count: int, seed: int) -> int:
    """Return how many of that many random cases are printed differently from PyTorch."""
    from dispatchtorch.tensor.format import printoptions, render

    rng = random.Random(seed)
    wrong = 0
    for _ in range(count):
        tensor, facts, options = draw_case(rng)
        values = host_values(tensor, facts["dtype"])
        expected = print_with_torch(tensor, facts, options)
        with printoptions(**options):
            text = render(values.__getitem__, values.shape, **facts)
        if text != expected:
            wrong += 1
            print(facts, options, tensor.shape, "PyTorch:", expected, "ours:", text, sep="\n")
    print(f"{count} cases, {wrong} different")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fuzz", type=int, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    if arguments.fuzz:
        sys.exit(fuzz(arguments.fuzz, arguments.seed) > 0)
    record(300)
