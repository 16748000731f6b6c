"""Asks torch's op table row by row: ``python -m tests.oracle.opdb --backend numpy [-k PART] [--kind grad]``.

Prints what fails, then the share of each kind that passes; ``--write FILE`` keeps every outcome as JSON lines.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import json
import re
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import dispatchtorch as ours
from tests.oracle.rows import KINDS, Outcome, Row, entries, rows

__all__ = ["ask", "main", "shares"]


class _TooLong(BaseException):
    """A row took too long. No Exception, so that nothing on the way catches it."""


@contextlib.contextmanager
def _within(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def ask(row: Row, seconds: int) -> Outcome:
    """Returns what became of a row; a crash of the asking itself is a failure of the row."""
    try:
        with warnings.catch_warnings(), _within(seconds):
            warnings.simplefilter("ignore")
            return row.ask()
    except _TooLong:
        return Outcome("fail", f"took more than {seconds} s")
    except Exception as error:
        return Outcome("fail", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}")


def shares(found: list[tuple[Row, Outcome]]) -> dict[str, tuple[int, int]]:
    """Returns passed and asked rows for each kind; errors count by type and by sentence."""
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])

    def count(kind: str, passed: bool) -> None:
        counts[kind][0] += passed
        counts[kind][1] += 1

    for row, outcome in found:
        if outcome.status not in ("pass", "fail"):
            continue
        if row.kind == "error":
            count("error type", outcome.status == "pass" or not outcome.reason.startswith("type"))
            count("error sentence", outcome.status == "pass")
            count("error sentence, letter for letter", bool(outcome.message_equal))
        else:
            count(row.kind, outcome.status == "pass")
            if row.kind == "forward":
                count(f"forward {row.detail}", outcome.status == "pass")
    return {kind: (passed, asked) for kind, (passed, asked) in counts.items()}


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints failures and shares."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.opdb")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("-k", default="", help="a regular expression on the op's name")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--detail", default="", help="a dtype, or the number of an error")
    parser.add_argument("--samples", type=int, default=None, help="at most so many samples a row")
    parser.add_argument("--seconds", type=int, default=60, help="at most so long a row")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th op, from the i-th")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quiet", action="store_true", help="shares only")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    faulthandler.enable()
    part, parts = map(int, options.part.split("/"))
    found: list[tuple[Row, Outcome]] = []
    start = time.monotonic()
    file = options.write.open("w") if options.write else None
    with ours.use_backend(options.backend):
        for number, op in enumerate(entries()):
            if number % parts != part or not re.search(options.k, op.name):
                continue
            for row in rows(op, options.samples):
                if (options.kind and row.kind not in options.kind) or (options.detail and row.detail != options.detail):
                    continue
                began = time.monotonic()
                outcome = ask(row, options.seconds)
                found.append((row, outcome))
                if file:
                    took = round(time.monotonic() - began, 3)
                    print(
                        json.dumps([row.name, outcome.status, outcome.reason, outcome.message_equal, took]),
                        file=file,
                        flush=True,
                    )
                if outcome.status == "fail" and not options.quiet:
                    print(f"{row.name}: {outcome.reason}", flush=True)
    for kind, (passed, asked) in sorted(shares(found).items()):
        print(f"{kind}: {passed} of {asked}, {100 * passed / asked:.1f} %")
    print(f"{time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
