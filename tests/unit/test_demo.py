"""The demo prints PyTorch's own loss curve on every backend; recorded by tests/parity/record_demo.py."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import pytest

from dispatchtorch import _demo

RECORD = json.loads((pathlib.Path(__file__).parents[1] / "goldens" / "demo.json").read_text(encoding="utf-8"))


def arguments(case, *more):
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in case["options"].items()]
    return [*flags, *more]


def printed(capsys):
    return re.findall(r"^epoch +\d+/\d+  loss (\d\.\d{4})", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("case", RECORD, ids=lambda case: str(case["options"]))
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_loss_curve_is_pytorchs(case, backend, capsys):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if backend == "jax" and not case["options"]:
        pytest.skip("the short training says as much")
    assert _demo.run(arguments(case, "--backend", backend)) == 0
    assert printed(capsys) == [f"{loss:.4f}" for loss in case["losses"]]


def test_the_accuracy_is_printed_and_good(capsys):
    assert _demo.run(["--quiet", "--backend", "numpy"]) == 0
    out = capsys.readouterr().out
    correct = RECORD[0]["correct"]
    assert correct / 359 > 0.95
    assert out.startswith(
        f"test accuracy {correct / 359:.4f} ({correct} of 359 digits it had not seen)\nbackend numpy, "
    )
    assert "epoch" not in out


def test_without_tqdm_there_are_plain_lines(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert _demo.run(["--epochs=1", "--batch-size=500", "--backend", "numpy"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("epoch") == 1
    assert captured.err == ""


def test_bad_arguments_are_refused(capsys):
    assert _demo.run(["--backend", "abacus"]) == 1
    assert "unknown backend 'abacus'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        _demo.run(["--epochs", "0"])
    assert "0 is not a positive number" in capsys.readouterr().err


def test_the_command_line_imports_nothing_heavy_before_it_runs():
    code = "import sys, dispatchtorch._demo; print('dispatchtorch._demo.digits' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
