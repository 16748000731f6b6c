"""docs/coverage.md says what the op table has."""

import subprocess
import sys

from tests.architecture.source import ROOT


def test_the_coverage_page_is_up_to_date():
    command = [sys.executable, str(ROOT / "docs" / "generate_coverage.py"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
