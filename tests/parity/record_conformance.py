"""Records torch's answers to the op table's samples: run where torch is installed.

Writes dispatchtorch/testing/conformance/goldens.npz. An op is asked of the torch function of its own name; names and
argument orders that differ are in `INTERNAL`. What torch refuses is not recorded, so no backend is asked for it.
"""

import os
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.plugin.selection import use_backend
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.testing.conformance.cases import cases, checksum, cotangent, leaves
from dispatchtorch.testing.goldens import PATH, Output, Recorder

sys.path.insert(0, os.path.dirname(__file__))
from torch_counterparts import INTERNAL  # the folder of a script is no package

FLOATS = ("float32", "float64")
OTHERS = ("int64", "bool", "complex64", "float16", "bfloat16")
ROOMS = (torch, F, torch.linalg, torch.special, torch.fft, torch.Tensor)


def counterpart(name):
    """Returns torch's functions for an op, best first, as one; None where there are none."""
    found = [INTERNAL[name]] if name in INTERNAL else list(candidates(name))

    def function(*args, **kwargs):
        for i, one in enumerate(found):
            try:
                return one(*args, **kwargs)
            except TypeError:  # a function of this name with other arguments
                if i + 1 == len(found):
                    raise
        raise AssertionError

    return function if found else None


def candidates(name):
    if name.startswith("linalg_"):
        yield getattr(torch.linalg, name.removeprefix("linalg_"))
    for candidate in (name, name.strip("_"), "_" + name.strip("_")):
        for room in ROOMS:
            found = getattr(room, candidate, None)
            if callable(found) and not isinstance(found, type):
                yield found


def to_torch(value):
    """Returns torch's own version of an argument."""
    if isinstance(value, Tensor):
        host = interop.to_host(value)
        if host.dtype.name == "bfloat16":
            return torch.from_numpy(np.array(host, order="C").view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(np.array(host, order="C"))
    if isinstance(value, DType):
        return getattr(torch, value.name)
    if isinstance(value, Device):
        return torch.device(str(value))
    if isinstance(value, (list, tuple)):
        return type(value)(to_torch(v) for v in value)
    if isinstance(value, dict):
        return {k: to_torch(v) for k, v in value.items()}
    return value


def to_numpy(t):
    t = t.detach().resolve_conj().resolve_neg()
    if t.dtype is torch.bfloat16:
        t = t.float()
    return t.contiguous().numpy(force=True).copy()


def output(leaf, inputs):
    if not isinstance(leaf, torch.Tensor):
        if leaf is None or isinstance(leaf, (str, torch.dtype, torch.device)):
            return Output((), "text:" + str(leaf), np.zeros(0, np.uint8), -1, (), 0)
        value = np.asarray(leaf)
        return Output(value.shape, value.dtype.name, value, -1, (), 0)
    pointer = leaf.untyped_storage().data_ptr()
    shared = [i for i, t in enumerate(inputs) if leaf.numel() and t.untyped_storage().data_ptr() == pointer]
    source = shared[0] if shared else -1
    name = str(leaf.dtype).removeprefix("torch.")
    return Output(
        tuple(leaf.shape),
        name,
        to_numpy(leaf),
        source,
        leaf.stride() if shared else (),
        leaf.storage_offset() if shared else 0,
    )


def inputs_of(args, kwargs):
    return [x for x in leaves((args, kwargs)) if isinstance(x, torch.Tensor)]


def floating(args, kwargs):
    return [t for t in inputs_of(args, kwargs) if t.is_floating_point() or t.is_complex()]


def answer(function, sample, wants_grad):
    """Returns torch's outputs, the gradients of its inputs (None where there are none), and which inputs were asked."""
    count = len(floating(to_torch(sample.args), to_torch(dict(sample.kwargs))))
    asked = [sample.grad] * count
    if not wants_grad:
        return *evaluate(function, sample, [False] * count)[:2], asked
    if any(asked):
        try:
            return evaluate(function, sample, asked)
        except (RuntimeError, NotImplementedError):
            asked = [can_differentiate(function, sample, i, count) for i in range(count)]
    return evaluate(function, sample, asked)


def can_differentiate(function, sample, i, count):
    try:
        evaluate(function, sample, [j == i for j in range(count)])
    except (RuntimeError, NotImplementedError):
        return False
    return True


def evaluate(function, sample, asked):
    args, kwargs = to_torch(sample.args), to_torch(dict(sample.kwargs))
    inputs, floats = inputs_of(args, kwargs), floating(args, kwargs)
    for t, wanted in zip(floats, asked, strict=True):
        t.requires_grad_(bool(wanted))
    torch.manual_seed(1)
    results = list(leaves(function(*args, **kwargs)))
    outputs = [output(leaf, inputs) for leaf in results]
    roots = [(i, r) for i, r in enumerate(results) if isinstance(r, torch.Tensor) and r.requires_grad]
    wanted = [t for t in floats if t.requires_grad]
    if not roots or not wanted:
        return outputs, None, asked
    seeds = [torch.from_numpy(cotangent(r.shape, str(r.dtype).removeprefix("torch."), i)).to(r.dtype) for i, r in roots]
    got = torch.autograd.grad([r for _, r in roots], wanted, seeds, allow_unused=True)
    return outputs, [None if g is None else (str(g.dtype).removeprefix("torch."), to_numpy(g)) for g in got], asked


def main():
    """Writes the file and says what was left out."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    recorder = Recorder()
    only = sys.argv[1:]
    for name, case in cases().items():
        if only and name not in only:
            continue
        function = counterpart(name)
        if function is None:
            recorder.unknown[name] = "torch has no function of this name"
            continue
        problems = []
        for dtype in (*FLOATS, *OTHERS):
            with use_backend("numpy"):
                try:
                    samples = case.samples(dtype)
                except Exception as error:  # a sampler may itself compute, which not every dtype allows
                    if dtype in FLOATS:
                        problems.append(f"{dtype}: the sampler raises {error!r}")
                    continue
                for number, sample in enumerate(samples if dtype in FLOATS else samples[:2]):
                    key = f"{name}/{number}/{dtype}"
                    grads = dtype == "float32" or (dtype == "complex64" and number == 0)
                    try:
                        outputs, got, asked = answer(function, sample, grads)
                    except Exception as error:
                        if dtype == "float32":
                            problems.append(f"{key}: {type(error).__name__}: {str(error).splitlines()[:1]}")
                        continue
                    recorder.add(key, checksum(sample), outputs, got, asked)
        if problems:
            print(f"{name}: " + "; ".join(problems[:2]))
            if not any(key.startswith(name + "/") for key in recorder._cases):
                recorder.unknown[name] = "torch's function of this name takes other arguments"
    print("no counterpart:", *sorted(recorder.unknown))
    if not only:
        recorder.write()
        print(len(recorder._cases), "answers,", PATH.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
