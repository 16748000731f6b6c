"""Asks torch's table of modules row by row: ``python -m tests.oracle.moduledb --backend numpy [-k PART]``.

Prints what fails, then the share of each kind that passes; ``--write FILE`` keeps every outcome as JSON lines.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import re
import sys
import time
from pathlib import Path

import torch

import dispatchtorch as ours
from tests.oracle.module_rows import KINDS, entries, rows
from tests.oracle.opdb import ask, shares
from tests.oracle.rows import Outcome, Row

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints failures and shares."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.moduledb")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("-k", default="", help="a regular expression on the module's name")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--detail", default="", help="a dtype, or the number of an error")
    parser.add_argument("--samples", type=int, default=24, help="at most so many samples a row")
    parser.add_argument("--seconds", type=int, default=60, help="at most so long a row")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th module, from the i-th")
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
        for number, info in enumerate(entries()):
            if number % parts != part or not re.search(options.k, info.name):
                continue
            for row in rows(info, options.samples):
                if (options.kind and row.kind not in options.kind) or (options.detail and row.detail != options.detail):
                    continue
                began = time.monotonic()
                outcome = ask(row, options.seconds)
                found.append((row, outcome))
                if file:
                    took = round(time.monotonic() - began, 3)
                    kept = [row.name, outcome.status, outcome.reason, outcome.message_equal, took]
                    print(json.dumps(kept), file=file, flush=True)
                if outcome.status == "fail" and not options.quiet:
                    print(f"{row.name}: {outcome.reason}", flush=True)
    for kind, (passed, asked) in sorted(shares(found).items()):
        print(f"{kind}: {passed} of {asked}, {100 * passed / asked:.1f} %")
    print(f"{time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
