"""Imports go one way: floors of the core, the fence around backends, the facade.

The floors are contracts in pyproject.toml, held by import-linter; what it cannot say is read off the syntax trees here.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.architecture.source import BACKENDS, CORE, ROOT, imports, modules, name

#: What a backend may import besides the standard library, itself and `dispatchtorch.plugin`; numpy carries host data.
OWN_LIBRARIES = {
    "dispatchtorch_numpy": {"numpy", "ml_dtypes"},
    "dispatchtorch_cupy": {"cupy", "cupyx", "numpy"},
    "dispatchtorch_jax": {"jax", "jaxlib", "numpy", "ml_dtypes"},
    "dispatchtorch_onednn": {"numpy"},
}

#: Rooms at the top of the house: they use the facade as a program would.
MAY_USE_THE_FACADE = {"__main__", "_cli", "_demo", "cli", "testing"}

_MAIN = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@pytest.mark.skipif(importlib.util.find_spec("importlinter") is None, reason="import-linter is not installed")
def test_the_import_contracts_hold():
    paths = os.pathsep.join([str(ROOT), str(BACKENDS)])
    result = subprocess.run(
        [sys.executable, "-c", _MAIN, "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("backend", sorted(OWN_LIBRARIES))
def test_a_backend_imports_the_plugin_room_and_its_own_library_only(backend):
    allowed = {*OWN_LIBRARIES[backend], *sys.stdlib_module_names, backend}
    strangers = [
        f"{name(path)}:{line} imports {target}"
        for path in modules(BACKENDS / backend)
        for line, target in imports(path)
        if target.split(".")[0] not in allowed and not f"{target}.".startswith("dispatchtorch.plugin.")
    ]
    assert strangers == []


def test_no_room_imports_the_facade():
    rooms = {path.stem if path.is_file() else path.name for path in CORE.iterdir()}
    leaks = [
        f"{name(path)}:{line} imports {target}"
        for path in modules(CORE)
        if path.relative_to(CORE).parts[0].removesuffix(".py") not in {*MAY_USE_THE_FACADE, "__init__"}
        for line, target in imports(path)
        if target == "dispatchtorch" or (target.startswith("dispatchtorch.") and target.split(".")[1] not in rooms)
    ]
    assert leaks == []
