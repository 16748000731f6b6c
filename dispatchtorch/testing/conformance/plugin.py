"""The pytest plugin: the option ``--backend`` and the report at the end. Imports nothing of ours until it is used."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_terminal_summary"]

_COLUMNS: Final = ("forward", "gradient", "gradcheck", "gradgradcheck", "inplace", "out", "method", "aliasing")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares ``--backend``; where another plugin has taken that name, ``--dispatchtorch-backend`` alone remains."""
    group = parser.getgroup("dispatchtorch", "dispatchtorch conformance kit")
    names = ["--dispatchtorch-backend", "--backend"]
    for given in (names, names[:1]):
        try:
            group.addoption(*given, dest="dispatchtorch_backend", default=None, help="the backend to test")
        except ValueError:
            continue
        return


def pytest_configure(config: pytest.Config) -> None:
    """Adds the reporter."""
    config.pluginmanager.register(_Tally(), "dispatchtorch-conformance-report")


class _Tally:
    """Counts what the kit's tests say, by family of ops and aspect."""

    def __init__(self) -> None:
        self.passed: Counter[tuple[str, str]] = Counter()
        self.run: Counter[tuple[str, str]] = Counter()
        self.failed: dict[str, list[str]] = {}
        self.left_out: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts one test; a skipped one by its reason."""
        if (
            report.skipped
            and report.when == "setup"
            and isinstance(report.longrepr, tuple)
            and " has no " in report.longrepr[2]
        ):
            self.left_out[report.longrepr[2].removeprefix("Skipped: ")] += 1
        if report.when != "call":
            return
        found: Any = dict(report.user_properties).get("conformance")
        if not isinstance(found, (tuple, list)):
            return
        family, name, aspect, dtype = found
        self.run[family, aspect] += 1
        if report.passed:
            self.passed[family, aspect] += 1
        elif hasattr(report, "wasxfail"):
            self.left_out[f"declared gap: {report.wasxfail}"] += 1
        else:
            self.failed.setdefault(name, []).append(f"{aspect} {dtype}")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Writes the table: families of ops by aspect, passed of run; then the ops that fail."""
    tally: Any = config.pluginmanager.get_plugin("dispatchtorch-conformance-report")
    if tally is None or not tally.run:
        return
    write = terminalreporter.write_line
    terminalreporter.write_sep("=", "conformance: passed of run")
    write(f"{'family':<16}" + "".join(f"{c:>15}" for c in _COLUMNS))
    for family in [*sorted({f for f, _ in tally.run}), "all"]:
        cells = []
        for column in _COLUMNS:
            mine = [key for key in tally.run if key[1] == column and family in (key[0], "all")]
            run, passed = sum(tally.run[k] for k in mine), sum(tally.passed[k] for k in mine)
            cells.append(f"{f'{passed}/{run}' if run else '-':>15}")
        write(f"{family:<16}" + "".join(cells))
    for name, what in sorted(tally.failed.items()):
        write(f"fails: {name}: {', '.join(what)}")
    for reason, count in sorted(tally.left_out.items()):
        write(f"left out: {count} tests: {reason}")
