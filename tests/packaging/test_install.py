"""The package as a stranger meets it: the wheel's contents, and three ways to run it, each away from the checkout."""

import email.message
import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import BUILD_REQUIREMENTS, CORE_REQUIREMENTS, ROOT, Environment, build_wheel, run

pytestmark = pytest.mark.packaging

FIRST_PARTY = ("numpy", "cupy", "jax")
HEAVY = ("cupy", "jax", "ml_dtypes", "scipy")

#: Imports the package, uses it, and says what it dragged in.
PROBE = f"""
import sys
import dispatchtorch as torch
light = [name for name in {HEAVY} if name in sys.modules]
value = (torch.tensor([1.0, 2.0]) + 1).tolist()
print(torch.__version__, value, light)
"""


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(entry))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def assert_it_works(environment: Environment, *cli: str, **variables: str) -> None:
    assert environment.python("-c", PROBE, **variables).split(maxsplit=1)[1].strip() == "[2.0, 3.0] []"
    listing = run_cli(environment, *cli, "backends", "list", **variables)
    assert [name for name in FIRST_PARTY if name not in listing] == []


def run_cli(environment: Environment, *arguments: str, **variables: str) -> str:
    if arguments[0] == "-m":
        return environment.python(*arguments, **variables)
    return environment.program(*arguments, **variables)


def test_the_wheel_installs_the_core_its_backends_and_one_plugin(wheel):
    tops = {name.split("/")[0] for name in names(wheel)}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == {"dispatchtorch", "dispatchtorch_onednn", *(f"dispatchtorch_{name}" for name in FIRST_PARTY)}
    assert len(tops) == len(packages) + 1


def test_the_wheel_holds_what_is_not_code(wheel):
    wanted = {"dispatchtorch/py.typed", "dispatchtorch/_demo/digits.csv.gz", "dispatchtorch/_demo/SOURCE.md"}
    assert wanted - names(wheel) == set()


def test_the_core_asks_for_numpy_and_pluggy_only(wheel):
    required = metadata(wheel).get_all("Requires-Dist", [])
    core = {line.split(">")[0].strip() for line in required if "extra ==" not in line}
    assert core == set(CORE_REQUIREMENTS)


def test_the_sdist_makes_the_same_wheel(wheel, tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    again = tmp_path / "again"
    again.mkdir()
    assert names(build_wheel(sdist, again)) == names(wheel)


def test_an_installed_wheel_works_with_numpy_and_pluggy_alone(wheel, fresh):
    environment = fresh()
    environment.install(wheel)
    assert_it_works(environment, "dispatchtorch")


def test_an_editable_install_works(fresh):
    environment = fresh()
    for requirement in BUILD_REQUIREMENTS:
        environment.borrow(requirement)
    environment.install("--editable", ROOT)
    assert_it_works(environment, "dispatchtorch")
    where = environment.python("-c", "import dispatchtorch_numpy as package; print(package.__file__)").strip()
    assert Path(where).resolve().is_relative_to(ROOT / "backends")


def test_a_plain_path_works_without_any_installation(fresh):
    path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    assert_it_works(fresh(), "-m", "dispatchtorch", PYTHONPATH=path)


def test_asking_for_a_missing_library_says_what_to_install(wheel, fresh):
    environment = fresh()
    environment.install(wheel)
    code = "import dispatchtorch as torch\ntry: torch.zeros(1)\nexcept Exception as error: print(error)"
    said = environment.python("-c", code, DISPATCHTORCH_BACKEND="jax")
    assert "pip install" in said
    assert "jax" in said
