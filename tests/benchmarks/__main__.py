"""``python -m tests.benchmarks``: takes the figures and writes them to docs/benchmarks.md; ``--dry`` only prints
them."""

from __future__ import annotations

from tests.benchmarks.ratio import one_thread

one_thread()

import sys  # noqa: E402 - libraries are imported after they are held to one thread

from tests.benchmarks.figures import all_figures  # noqa: E402 - as above
from tests.benchmarks.report import PAGE, page, table  # noqa: E402 - as above

figures = all_figures()
print(table(figures))
if "--dry" not in sys.argv:
    PAGE.write_text(page(figures))
    print(f"written to {PAGE}")
