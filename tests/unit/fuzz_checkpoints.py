"""Mutated checkpoints, many of them: ``python -m tests.unit.fuzz_checkpoints 10000`` prints what became of them.

A file may load or be refused in a sentence; it may not run code, take memory out of proportion, hang or crash. Needs no
PyTorch: the files to mutate are the recorded ones and some written here.
"""

from __future__ import annotations

import collections
import functools
import io
import os
import pathlib
import pickle
import random
import resource
import struct
import sys
import time
import warnings
import zipfile

import dispatchtorch as torch

FOLDER = pathlib.Path(__file__).parents[1] / "goldens" / "checkpoints"
REFUSALS = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError)

# Audit events that no reader of weights has a reason to raise.
FORBIDDEN = (
    "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.", "shutil.", "os.remove", "os.rename",
)  # fmt: skip
SINKS = (b"cos\nsystem\n", b"cposix\nsystem\n", b"c__builtin__\neval\n", b"cbuiltins\nexec\n", b"cbuiltins\ngetattr\n")
OPCODES = (
    b"(.0123FIJKLMNPQRSTUVXabcdehgijlopqrstu}])\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8e\x8f\x90\x93\x94\x95"
)


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Returns the files that are mutated."""
    found = [path.read_bytes() for path in sorted(FOLDER.glob("*.pt")) if path.stem != "unchecked"]
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(3), "b": [torch.arange(4).view(2, 2).t(), "text", 1.5]}, buffer)
    return (*found, buffer.getvalue())


def _stream_changed(data: bytes, rng: random.Random) -> bytes:
    """Returns an archive whose pickle stream was changed, with directory and checksums made right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        records = [(entry.filename, old.read(entry)) for entry in old.infolist()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice([zipfile.ZIP_STORED] * 9 + [zipfile.ZIP_DEFLATED])) as new:
        for name, content in records:
            if name.endswith("data.pkl") or rng.random() < 0.1:
                content = bytes_changed(content, rng)
            if rng.random() > 0.02:
                new.writestr(name, content)
    return buffer.getvalue()


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """Returns bytes with a few faults of every kind."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(out) + 1)
        what = rng.randrange(9)
        if what == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif what == 1 and out:
            out[at % len(out)] = rng.randrange(256)
        elif what == 2:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif what == 3:
            del out[at : at + rng.randrange(1, 20)]
        elif what == 4:
            out[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 30)))
        elif what == 5:
            out[at : at + 1] = bytes([rng.choice(OPCODES)])
        elif what == 6:
            begin = rng.randrange(len(out) + 1)
            out[at:at] = out[begin : begin + rng.randrange(1, 60)]
        elif what == 7:
            out[at:at] = rng.choice(SINKS) + b"X\x04\x00\x00\x00true\x85R"
        else:
            del out[at:]
    return bytes(out)


def mutated(files: tuple[bytes, ...], seed: int) -> bytes:
    """Returns one mutation of one of the files, the same for the same seed."""
    rng = random.Random(seed)
    data = rng.choice(files)
    if data.startswith(b"PK") and rng.random() < 0.6:
        return _stream_changed(data, rng)
    return bytes_changed(data, rng)


def attempt(data: bytes) -> str:
    """Returns "loaded" or the name of the refusal; whatever else is raised goes through."""
    try:
        torch.load(io.BytesIO(data))
    except REFUSALS as error:
        return type(error).__name__
    return "loaded"


def main(count: int, start: int = 0) -> None:
    """Runs ``count`` mutations under an address-space limit and an audit hook, and prints the figures."""
    alarms: list[str] = []

    def listen(event: str, args: tuple[object, ...]) -> None:
        if event.startswith(FORBIDDEN):
            alarms.append(f"{event} {args}")

    files = seeds()
    for data in files:
        attempt(data)  # what is imported lazily is imported
    sys.addaudithook(listen)
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
    warnings.simplefilter("ignore")
    outcomes: collections.Counter[str] = collections.Counter()
    slowest, began = 0.0, time.perf_counter()
    for seed in range(start, start + count):
        data = mutated(files, seed)
        at = time.perf_counter()
        try:
            outcomes[attempt(data)] += 1
        except BaseException as error:
            outcomes[f"CRASH {type(error).__name__}"] += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", file=sys.stderr)
        slowest = max(slowest, time.perf_counter() - at)
    print(f"{count} files, {len(alarms)} executed anything")
    for outcome, number in outcomes.most_common():
        print(f"  {outcome:20} {number}")
    print(f"slowest {slowest * 1e3:.1f} ms, all {time.perf_counter() - began:.1f} s; peak {_peak()} MiB")
    for alarm in alarms[:10]:
        print("ALARM", alarm)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
