"""``python -m tests.benchmarks``: takes the figures and writes them to docs/benchmarks.md.

``--dry`` only prints them; ``-k TEXT`` takes the cases whose group or name contains the text (and is dry);
``--backend numpy``, ``onednn`` (numpy with that plugin) or ``jax`` takes one.
"""

from __future__ import annotations

from tests.benchmarks.ratio import one_thread

one_thread()

import argparse  # noqa: E402 - libraries are imported after they are held to one thread

from tests.benchmarks.compiling import compile_figures  # noqa: E402 - as above
from tests.benchmarks.figures import KINDS, eager_figure, group_figures, idle_figure  # noqa: E402 - as above
from tests.benchmarks.footprint import footprint_figures, import_figures  # noqa: E402 - as above
from tests.benchmarks.report import PAGE, page, summary, table  # noqa: E402 - as above

parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
parser.add_argument("--dry", action="store_true", help="print, write nothing")
parser.add_argument("-k", default="", metavar="TEXT", help="cases whose group or name contains TEXT")
parser.add_argument("--backend", choices=KINDS, action="append", help="one backend only")
options = parser.parse_args()

groups = group_figures(options.backend or KINDS, lambda group, case: options.k in f"{group}: {case}")
singles = compile_figures(options.k) if "jax" in (options.backend or ("jax",)) else []
if not options.k:
    singles += [*footprint_figures(), idle_figure(), *import_figures()]
    eager = eager_figure()
    singles += [eager] if eager is not None else []
if options.dry or options.k or options.backend:
    print(summary(groups))
    for found in groups:
        print(f"\n{found.backend}: {found.group.name}\n\n{table(found.figures)}", *found.failed, sep="\n")
    print(table(singles))
else:
    PAGE.write_text(page(groups, singles))
    print(f"written to {PAGE}")
