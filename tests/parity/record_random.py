"""Records torch's random streams: ``python tests/parity/record_random.py`` in an environment that has torch.

Writes tests/goldens/random.json (what was drawn, and a digest of each result) and random.npz (results that are compared
by distance instead, and states as bytes).
"""

import hashlib
import json
import pathlib
import random
from typing import Any

import numpy as np
import torch

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens"
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
SEEDS = (0, 1, 1234, 2**63 + 5)


def weights(n, dtype):
    return (torch.arange(n, dtype=torch.float64).mul(37).remainder(101).add(1) / 102).to(dtype)


def draw(op, kw):
    """Returns torch's result for one step of a case; keyword names are those of ``dispatchtorch.random.streams``."""
    dtype = getattr(torch, kw.get("dtype_name", "int64"))
    shape = kw.get("shape", ())
    match op:
        case "uniform":
            return torch.empty(shape, dtype=dtype).uniform_(kw.get("low", 0), kw.get("high", 1))
        case "normal":
            if kw.get("contiguous", True):
                return torch.empty(shape, dtype=dtype).normal_(kw.get("mean", 0), kw.get("std", 1))
            out = torch.empty((*shape, 2), dtype=dtype)[..., 0]
            return out.normal_(kw.get("mean", 0), kw.get("std", 1)).contiguous()
        case "randint":
            return torch.randint(kw["low"], kw["high"], shape, dtype=dtype)
        case "random_":
            if "low" in kw:
                return torch.empty(shape, dtype=dtype).random_(kw["low"], None)
            return torch.empty(shape, dtype=dtype).random_()
        case "randperm":
            return torch.randperm(kw["n"], dtype=dtype)
        case "bernoulli":
            return torch.empty(shape, dtype=dtype).bernoulli_(kw["p"])
        case "bernoulli_tensor":
            return torch.empty(kw["n"], dtype=dtype).bernoulli_(weights(kw["n"], getattr(torch, kw["p_dtype"])))
        case "dropout_noise":
            return torch.nn.functional.dropout(torch.ones(shape, dtype=dtype), kw["p"], True)
        case "multinomial":
            rows = weights(kw["n"] * kw["rows"], dtype).reshape(kw["rows"], kw["n"])
            return torch.multinomial(rows if kw["rows"] > 1 else rows[0], kw["samples"], kw["replacement"])
        case "exponential":
            return torch.empty(shape, dtype=dtype).exponential_(kw["rate"])
        case "geometric":
            return torch.empty(shape, dtype=dtype).geometric_(kw["p"])
        case "cauchy":
            return torch.empty(shape, dtype=dtype).cauchy_(kw["median"], kw["sigma"])
        case "log_normal":
            return torch.empty(shape, dtype=dtype).log_normal_(kw["mean"], kw["std"])
        case "rrelu_noise":
            noise = torch.empty(kw["n"], dtype=dtype)
            values = weights(kw["n"], dtype) - 0.5
            torch.ops.aten.rrelu_with_noise(values, noise, kw["lower"], kw["upper"], True)
            return noise
        case "poisson":
            return torch.poisson(weights(kw["n"], dtype) * kw["scale"])
        case "binomial":
            return torch.binomial(torch.full((kw["n"],), kw["count"], dtype=dtype), weights(kw["n"], dtype))
        case "standard_gamma":
            return torch._standard_gamma(weights(kw["n"], dtype) * kw["scale"])
        case "dirichlet":
            return torch._sample_dirichlet(weights(kw["n"] * 3, dtype).reshape(3, kw["n"]) * kw["scale"])
    raise KeyError(op)


def every_size(op, dtype, **more):
    return [[op, {"shape": [n], "dtype_name": dtype, **more}] for n in range(1, 41)]


def families() -> dict[str, list[Any]]:
    """Returns named sequences of steps; each is drawn from every seed, in order, from one generator."""
    out: dict[str, list[Any]] = {}
    for dtype in FLOATS:
        for op, more in (("uniform", {"low": -0.3, "high": 0.7}), ("normal", {"mean": 0.5, "std": 2.5})):
            out[f"{op} {dtype}, each size"] = every_size(op, dtype) + every_size(op, dtype, **more)
            out[f"{op} {dtype}, thousand"] = [[op, {"shape": [1000], "dtype_name": dtype}]]
            if dtype != "float64":
                out[f"{op} {dtype}, million"] = [[op, {"shape": [1000, 1000], "dtype_name": dtype}]]
        out[f"normal {dtype}, strided"] = every_size("normal", dtype, contiguous=False)
        out[f"bernoulli and dropout {dtype}"] = [
            *every_size("bernoulli", dtype, p=0.3),
            *[["bernoulli_tensor", {"n": n, "dtype_name": "float32", "p_dtype": dtype}] for n in (1, 7, 500)],
            *[["dropout_noise", {"shape": [n, 3], "dtype_name": dtype, "p": p}] for n in (1, 50) for p in (0, 0.1, 1)],
        ]
        shape = {"shape": [37], "dtype_name": dtype}
        out[f"one formula {dtype}"] = [
            ["exponential", {**shape, "rate": 1.0}],
            ["exponential", {**shape, "rate": 0.3}],
            ["geometric", {**shape, "p": 0.3}],
            ["cauchy", {**shape, "median": 0.3, "sigma": 2.5}],
            ["log_normal", {**shape, "mean": 0.1, "std": 0.3}],
            ["poisson", {"n": 50, "dtype_name": dtype, "scale": 4.0}],
            ["poisson", {"n": 50, "dtype_name": dtype, "scale": 60.0}],
        ]
        for part, real in (("complex64", "float32"), ("complex128", "float64")):
            if real == dtype:
                out[f"complex {part}"] = [
                    [op, {"shape": [n], "dtype_name": part}]
                    for op in ("uniform", "normal")
                    for n in (1, 3, 7, 8, 9, 30)
                ]
    for dtype in ("float32", "float64"):
        out[f"rejection {dtype}"] = [
            ["rrelu_noise", {"n": 60, "dtype_name": dtype, "lower": 0.1, "upper": 0.3}],
            ["binomial", {"n": 60, "dtype_name": dtype, "count": 5}],
            ["binomial", {"n": 60, "dtype_name": dtype, "count": 200}],
            ["standard_gamma", {"n": 60, "dtype_name": dtype, "scale": 1.5}],
            ["standard_gamma", {"n": 60, "dtype_name": dtype, "scale": 20.0}],
            ["dirichlet", {"n": 10, "dtype_name": dtype, "scale": 2.0}],
        ]
        out[f"multinomial {dtype}"] = [
            ["multinomial", {"n": n, "rows": rows, "samples": k, "replacement": again, "dtype_name": dtype}]
            for n in (2, 10, 300)
            for rows in (1, 4)
            for k, again in ((1, False), (1, True), (n, False), (2 * n, True))
        ]
    limits = {"int64": 2**62, "int32": 2**31, "int16": 2**15, "int8": 2**7}
    for dtype in (*INTEGERS, *FLOATS, "bool"):
        low, high = {"bool": (0, 2), "uint8": (0, 256)}.get(dtype, (-limits.get(dtype, 200), limits.get(dtype, 200)))
        shape = {"shape": [41], "dtype_name": dtype}
        out[f"integers {dtype}"] = [
            ["randint", {**shape, "low": low, "high": high}],
            ["randint", {**shape, "low": 0, "high": min(high, 10)}],
            ["random_", shape],
            ["random_", {**shape, "low": 1}],
        ]
        if dtype in ("int64", "float32", "float64", "bfloat16"):
            out[f"integers {dtype}"].append(["random_", {**shape, "low": -(2**63)}])
    wide = ((0, 2**28 - 1), (0, 2**28), (-5, 2**32), (0, 2**40))
    out["integers, thousands"] = [["randint", {"shape": [3000], "low": a, "high": b}] for a, b in wide]
    out["integers, million"] = [["randint", {"shape": [10**6], "low": 0, "high": 10}]]
    sizes = (*range(41), 399, 400, 401, 1000, 4096, 4097, 100_000)
    out["randperm"] = [["randperm", {"n": n}] for n in sizes] + [["randperm", {"n": 50, "dtype_name": "float32"}]]
    out["mixed"] = mixed(random.Random(7), 120)
    return out


def mixed(choose, steps):
    """Returns a sequence in which a normal kept back by one call surfaces in a later one, through other draws."""
    out = []
    for _ in range(steps):
        shape = [choose.randint(1, 40)]
        dtype = choose.choice(("float32", "float16", "bfloat16"))
        out.append(
            choose.choice(
                [
                    ["normal", {"shape": [choose.randint(1, 15)], "dtype_name": dtype}],
                    ["normal", {"shape": shape, "dtype_name": dtype, "std": 0.02}],
                    ["log_normal", {"shape": shape, "dtype_name": dtype, "mean": 0.0, "std": 0.5}],
                    ["uniform", {"shape": shape, "dtype_name": dtype}],
                    ["randint", {"shape": shape, "low": 0, "high": choose.choice((9, 2**33))}],
                    ["randperm", {"n": shape[0]}],
                    ["bernoulli", {"shape": shape, "dtype_name": dtype, "p": 0.5}],
                    ["multinomial", {"n": 9, "rows": 2, "samples": 5, "replacement": False, "dtype_name": "float32"}],
                ]
            )
        )
    return out


def raw(t):
    if t.dtype is torch.bfloat16:
        return t.contiguous().view(torch.int16).numpy()
    return t.contiguous().numpy()


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def state():
    return torch.get_rng_state().numpy().tobytes()


def main():
    """Writes both files."""
    torch.set_num_threads(1)
    cases, arrays = [], {}
    for name, steps in families().items():
        for seed in SEEDS[:3] if "million" not in name else SEEDS[:1]:
            torch.manual_seed(seed)
            results = []
            for op, kw in steps:
                out = raw(draw(op, kw))
                if out.dtype in (np.float64, np.complex128):
                    arrays[f"{len(cases)}.{len(results)}"] = out
                    results.append(None)
                else:
                    results.append(digest(out.tobytes()))
            case = {"name": name, "seed": seed, "results": results, "state": digest(state())}
            if out.size >= 10**5:
                flat = out.reshape(-1)
                case["head"], case["tail"] = flat[:4].tolist(), flat[-4:].tolist()
            cases.append(case)
    for seed in SEEDS:
        torch.manual_seed(seed)
        arrays[f"state.{seed}.fresh"] = np.frombuffer(state(), np.uint8)
        torch.randn(3)
        torch.rand(700)
        arrays[f"state.{seed}.drawn"] = np.frombuffer(state(), np.uint8)
        arrays[f"state.{seed}.next"] = torch.randn(5).numpy()
    text = json.dumps({"steps": families(), "cases": cases}, separators=(",", ":"))
    (GOLDENS / "random.json").write_text(text.replace('{"name"', '\n{"name"') + "\n", encoding="utf-8")
    np.savez_compressed(GOLDENS / "random.npz", **arrays)


if __name__ == "__main__":
    main()
