"""Asking one of torch's tables row by row: the command line, the time limit, the shares that pass.

Must not know: what a row asks.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import json
import re
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import dispatchtorch as ours
from tests.oracle.rows import Outcome, Row

__all__ = ["ask", "main_of", "shares"]


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


def shares(found: Iterable[tuple[str, str, str, bool | None]]) -> dict[str, tuple[int, int]]:
    """Returns passed and asked rows for each kind; rows are name, status, reason, and whether a sentence is equal.

    Errors count by type, by sentence (torch's pattern) and by the letters of the sentence.
    """
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for name, status, reason, equal in found:
        if status not in ("pass", "fail"):
            continue
        _, kind, detail = name.split("/", 2)
        answers = {kind: status == "pass"}
        if kind == "error":
            answers = {
                "error type": status == "pass" or not reason.startswith("type"),
                "error sentence": status == "pass",
                "error sentence, letter for letter": bool(equal),
            }
        elif kind == "forward":
            answers[f"forward {detail}"] = status == "pass"
        for one, passed in answers.items():
            counts[one][0] += passed
            counts[one][1] += 1
    return {kind: (passed, asked) for kind, (passed, asked) in counts.items()}


def main_of(
    table: str,
    kinds: Sequence[str],
    entries: Callable[[], Iterable[Any]],
    rows: Callable[[Any, int | None], Iterable[Row]],
    argv: list[str] | None,
) -> int:
    """Returns 0; prints failures and shares of the rows of a table's entries."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.oracle.{table}")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("-k", default="", help="a regular expression on the entry's name")
    parser.add_argument("--kind", action="append", choices=kinds)
    parser.add_argument("--detail", default="", help="a dtype, or the number of an error")
    parser.add_argument("--samples", type=int, default=None, help="at most so many samples a row")
    parser.add_argument("--seconds", type=int, default=60, help="at most so long a row")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th entry, from the i-th")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quiet", action="store_true", help="shares only")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    faulthandler.enable()
    part, parts = map(int, options.part.split("/"))
    found: list[tuple[str, str, str, bool | None]] = []
    start = time.monotonic()
    file = options.write.open("w") if options.write else None
    with ours.use_backend(options.backend):
        for number, entry in enumerate(entries()):
            if number % parts != part or not re.search(options.k, entry.name):
                continue
            for row in rows(entry, options.samples):
                if (options.kind and row.kind not in options.kind) or (options.detail and row.detail != options.detail):
                    continue
                began = time.monotonic()
                outcome = ask(row, options.seconds)
                found.append((row.name, outcome.status, outcome.reason, outcome.message_equal))
                if file:
                    print(json.dumps([*found[-1], round(time.monotonic() - began, 3)]), file=file, flush=True)
                if outcome.status == "fail" and not options.quiet:
                    print(f"{row.name}: {outcome.reason}", flush=True)
    for kind, (passed, asked) in sorted(shares(found).items()):
        print(f"{kind}: {passed} of {asked}, {100 * passed / asked:.1f} %")
    print(f"{time.monotonic() - start:.0f} s")
    return 0
