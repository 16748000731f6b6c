"""The type stubs say what the op table installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_stubs_are_up_to_date() -> None:
    script = Path(__file__).with_name("stubs.py")
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
