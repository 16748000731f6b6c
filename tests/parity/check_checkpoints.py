"""Checkpoints there and back beside a real PyTorch, bit for bit: ``python -m tests.parity.check_checkpoints``.

What is saved here is loaded by torch with ``weights_only=True``; what torch saves of that is loaded here again.
"""

import io
import random
import warnings

import numpy as np
import torch as oracle

import dispatchtorch as torch
from dispatchtorch.tensor.tensor import read
from tests.parity.record_checkpoints import DTYPES


def ours(name: str, rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Returns a tensor of random bits."""
    count = int(np.prod(shape)) * getattr(torch, name).itemsize
    raw = rng.integers(0, 2 if name == "bool" else 256, count, np.uint8)
    buffer = io.BytesIO()
    oracle.save(oracle.frombuffer(bytearray(raw.tobytes()), dtype=getattr(oracle, name)).view(shape), buffer)
    buffer.seek(0)
    return torch.load(buffer)


def facts(t: object) -> tuple[object, ...]:
    """Returns all that is compared of one tensor: bits, sizes, strides, offset, dtype, whether it wants a gradient."""
    if isinstance(t, torch.Tensor):
        host = np.ascontiguousarray(t._key.backend.to_host(read(t)))
        bits = host.reshape(-1).view(np.uint8).tobytes()
    else:
        plain = oracle.empty(t.numel(), dtype=t.dtype).copy_(t.detach().reshape(-1))
        bits = bytes(plain.view(oracle.uint8).numpy())
    place = (tuple(t.shape), tuple(t.stride()), t.storage_offset())
    return (bits, *place, str(t.dtype), t.requires_grad, type(t).__name__)


def views(x: torch.Tensor, dice: random.Random) -> list[torch.Tensor]:
    """Returns a tensor and views of it."""
    found = [x]
    for _ in range(4):
        t = dice.choice(found)
        step = dice.randrange(4)
        if step == 0 and t.dim() > 1:
            t = t.transpose(0, 1)
        elif step == 1 and t.dim():
            t = t[dice.randrange(t.shape[0])]
        elif step == 2 and t.dim() and t.shape[0] > 1:
            t = t[1:]
        elif step == 3 and t.dim():
            t = t[..., ::2]
        found.append(t)
    return found


def main(rounds: int = 40) -> None:
    """Prints how many tensors came through unchanged."""
    warnings.simplefilter("ignore")
    rng, dice = np.random.default_rng(0), random.Random(0)
    same = total = 0
    for name in DTYPES:
        for _ in range(rounds):
            shape = tuple(dice.choice(((3, 4), (5,), (2, 3, 4), (1, 1, 6))))
            tensors = views(ours(name, rng, shape), dice)
            if getattr(torch, name).is_floating_point:
                tensors.append(torch.nn.Parameter(tensors[-1], dice.random() < 0.5))
            there, back = io.BytesIO(), io.BytesIO()
            torch.save(tensors, there)
            there.seek(0)
            theirs = oracle.load(there, weights_only=True)
            assert len({t.untyped_storage().data_ptr() for t in theirs if t.numel()}) <= 1
            oracle.save(theirs, back, _use_new_zipfile_serialization=dice.random() < 0.5)
            back.seek(0)
            again = torch.load(back)
            for a, b, c in zip(tensors, theirs, again, strict=True):
                total += 1
                same += facts(a) == facts(b) == facts(c)
    print(
        f"{same} of {total} tensors of {len(DTYPES)} dtypes went there and back bit for bit ({torch.ones(1).backend})"
    )


if __name__ == "__main__":
    main()
