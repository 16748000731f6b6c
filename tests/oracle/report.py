"""Writes docs/oracle.md from runs of the op table: ``python -m tests.oracle.report numpy.jsonl jax.jsonl``.

Each file is what ``tests.oracle.opdb --write`` kept, named after its backend.
"""

from __future__ import annotations

import collections
import json
import sys
from pathlib import Path
from typing import Final

from tests.oracle.asking import shares
from tests.oracle.causes import cause_of

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "oracle.md"
WANTED: Final = {  # share of rows that has to pass, in per cent
    "forward": 97,
    "grad": 95,
    "gradgrad": 93,
    "gradgradcheck": 93,
    "method": 97,
    "inplace": 97,
    "operator": 97,
    "out": 97,
    "error type": 95,
    "error sentence": 85,
}
HEAD: Final = """# Beside PyTorch's own op table

PyTorch tests itself with a table of its ops, `op_db`: sample calls of every op, and calls that must fail with their
errors. `tox -e oracle` asks the same calls of dispatchtorch. A row is one op, one kind of question and one dtype, and
passes when every sample of it does, within PyTorch's own tolerances. What PyTorch refuses itself is no row.

Run it by hand with `python -m tests.oracle.opdb --backend numpy`, in an environment that has PyTorch 2.13, expecttest
and SciPy.

These figures are of 2026-11-23: PyTorch 2.13.0, NumPy 2.4.6, JAX 0.10.2 on a CPU. On NumPy every entry was asked in
one run, with up to 12 samples a row; on JAX, which compiles for each shape, two samples a row, and the 54 % of rows
that a run of an hour reached (every entry whose number, divided by 16, leaves a rest below 8), on an earlier version;
those that failed there were asked again.

"""


def rows_of(path: Path) -> list[tuple[str, str, str, bool | None]]:
    """Returns names, status, reasons and whether an error's sentence is equal."""
    with path.open(encoding="utf-8") as file:
        return [(name, status, reason, equal) for name, status, reason, equal, _ in map(json.loads, file)]


def page(files: list[Path]) -> str:
    """Returns the page."""
    runs = {path.stem: rows_of(path) for path in files}
    found = {backend: shares(rows) for backend, rows in runs.items()}
    lines = ["| kind of row | wanted | " + " | ".join(runs) + " |", "| --- | ---: |" + " ---: |" * len(runs)]
    for kind in (*WANTED, "error sentence, letter for letter"):
        cells = []
        for backend in runs:
            passed, asked = found[backend].get(kind, (0, 0))
            cells.append(f"{passed} of {asked}, {100 * passed / max(asked, 1):.1f} %")
        wanted = f"{WANTED[kind]} %" if kind in WANTED else ""
        lines.append(f"| {kind} | {wanted} | " + " | ".join(cells) + " |")
    text = HEAD + "\n".join(lines) + "\n\n## What does not pass\n"
    for backend, rows in runs.items():
        by_cause: dict[str, list[str]] = collections.defaultdict(list)
        for name, status, _, _ in rows:
            if status == "fail":
                by_cause[cause_of(name, backend) or "not yet looked into"].append(name)
        text += f"\n### {backend}\n\n"
        for cause, names in sorted(by_cause.items(), key=lambda pair: -len(pair[1])):
            text += f"- **{cause}** ({len(names)}): " + ", ".join(f"`{n}`" for n in names) + "\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page([Path(name) for name in sys.argv[1:]]), encoding="utf-8")
