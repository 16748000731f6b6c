"""Fresh environments for the packaging tests, made in seconds and without a package index.

A fresh environment links numpy and pluggy and nothing else, which is also the proof that the core needs no more.
Wheels are built by the running environment's own hatchling. Installing is pip's work, as it is for everyone else.
"""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE_REQUIREMENTS = ("numpy", "pluggy")

#: What pip needs inside an environment to make an editable install there: hatchling and, by name, what it needs.
BUILD_REQUIREMENTS = ("hatchling", "packaging", "pathspec", "trove-classifiers")

#: What must not reach a fresh environment: our own settings, and paths by which the checkout could be imported.
_PRIVATE = ("DISPATCHTORCH_", "PYTHON", "VIRTUAL_ENV", "TOX_")


def run(*command: object, cwd: Path, **variables: str) -> str:
    """What the command printed; a failed command fails the test with all it said."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(_PRIVATE)}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a temporary folder."""

    home: Path

    @property
    def _programs(self) -> Path:
        return self.home / ("Scripts" if os.name == "nt" else "bin")

    @property
    def site_packages(self) -> Path:
        """Where its packages lie."""
        return next(self.home.rglob("site-packages"))

    def borrow(self, requirement: str) -> None:
        """Links an installed distribution of the running environment into this one."""
        distribution = importlib.metadata.distribution(requirement)
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            link = self.site_packages / top
            if not link.exists():
                link.symlink_to(Path(str(distribution.locate_file(top))).resolve())

    def install(self, *arguments: object) -> None:
        """pip install into this environment, from files at hand only."""
        python = self._programs / "python"
        offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
        run(sys.executable, "-m", "pip", "--python", python, "install", *offline, *arguments, cwd=self.home)

    def python(self, *arguments: object, **variables: str) -> str:
        """What its Python printed, started away from the checkout."""
        return run(self._programs / "python", *arguments, cwd=self.home, **variables)

    def program(self, name: str, *arguments: object, **variables: str) -> str:
        """What an installed console script printed."""
        return run(self._programs / name, *arguments, cwd=self.home, **variables)


def build_wheel(source: Path, into: Path) -> Path:
    """The wheel of a source folder or sdist, built without fetching anything."""
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"),
        *("--wheel-dir", into, source),
        cwd=into,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    missing = [tool for tool in ("pip", "hatchling") if importlib.util.find_spec(tool) is None]
    if missing:
        pytest.skip(f"the running environment has no {' and no '.join(missing)}")
    if not (ROOT / "dispatchtorch" / "__init__.py").exists():
        pytest.skip("there is no dispatchtorch/__init__.py yet")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[str], Environment]:
    """Makes an environment of that name that has numpy and pluggy and nothing else."""

    def make(name: str = "environment") -> Environment:
        home = tmp_path / name
        venv.create(home, with_pip=False, symlinks=os.name != "nt")
        environment = Environment(home)
        for requirement in CORE_REQUIREMENTS:
            environment.borrow(requirement)
        return environment

    return make
