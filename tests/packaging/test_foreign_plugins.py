"""Plugins by strangers, built as wheels, installed beside ours and used: a backend and an instrument."""

import shutil
import textwrap
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, build_wheel

pytestmark = pytest.mark.packaging

HERE = ROOT / "tests" / "packaging"

TRAINING = """
import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.plugin.selection import default_backend
torch.manual_seed(0)
layer = nn.Linear(3, 2)
x = torch.tensor([[1.0, -2.0, 3.0]])
loss = torch.relu(layer(x)).sum() + layer.bias.mul(0.5).sum()
loss.backward()
y = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y.view(2, 3).t()[1].add_(10)
print(default_backend().name, f"{loss.item():.6f}", layer.weight.grad.tolist(), layer.bias.grad.tolist(), y.tolist())
"""


def copy_of(source: str, into: Path, **changes: str) -> Path:
    """The plugin's source in a temporary folder, with words replaced in file names and contents."""
    target = shutil.copytree(HERE / source, into / "source", ignore=shutil.ignore_patterns("__pycache__"))
    for old, new in changes.items():
        for path in [*target.rglob(f"*{old}*")]:
            path.rename(path.with_name(path.name.replace(old, new)))
        for path in [path for path in target.rglob("*") if path.is_file()]:
            path.write_text(path.read_text().replace(old, new))
    return target


def built(source: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    return build_wheel(source, into)


@pytest.fixture(scope="session")
def backend_wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign_backend")
    return built(copy_of("foreign_backend", folder), folder / "dist")


@pytest.fixture(scope="session")
def instrument_wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign_instrument")
    return built(copy_of("foreign_instrument", folder), folder / "dist")


@pytest.fixture
def environment(wheel, backend_wheel, instrument_wheel, fresh):
    """One with our wheel and both strangers'."""
    made = fresh()
    made.install(wheel, backend_wheel, instrument_wheel)
    return made


def test_a_foreign_backend_is_listed_and_not_imported(environment):
    code = "from dispatchtorch.cli import main; main(['backends', 'list', '--names']); import sys; print(*sys.modules)"
    *listed, modules = environment.python("-c", code).splitlines()
    assert "abacus" in listed
    assert "abacus_arrays" not in modules.split()
    shown = environment.program("dispatchtorch", "backends", "show", "abacus")
    assert "distribution abacus-arrays 1.0" in shown
    assert "state:    ready" in shown


def test_a_foreign_backend_computes_what_ours_does(environment):
    ours = environment.python("-c", TRAINING).split(maxsplit=1)
    theirs = environment.python("-c", TRAINING, DISPATCHTORCH_BACKEND="abacus").split(maxsplit=1)
    assert ours[0] == "numpy"
    assert theirs == ["abacus", ours[1]]
    assert "12.0" in ours[1]  # the write through a view of a view reached the base


def test_explain_shows_the_foreign_backends_own_kernel(environment):
    rungs = environment.program("dispatchtorch", "explain", "relu", "--backend", "abacus").splitlines()
    assert rungs[0] == "relu on abacus:"
    assert [line.strip() for line in rungs if "->" in line] == ["-> backend kernel: the backend's own"]


def test_two_distributions_with_one_backend_name_are_refused_naming_both(environment, tmp_path):
    rival = copy_of("foreign_backend", tmp_path, abacus_arrays="sliderule", **{"abacus-arrays": "sliderule"})
    environment.install(built(rival, tmp_path / "dist"))
    assert environment.python("-c", TRAINING).startswith("numpy ")
    code = "import dispatchtorch.plugin.selection as s\ntry: s.get_backend('abacus')\nexcept Exception as e: print(e)"
    said = environment.python("-c", code)
    assert "abacus_arrays.plugin (distribution abacus-arrays 1.0)" in said
    assert "sliderule.plugin (distribution sliderule 1.0)" in said


def test_a_broken_foreign_backend_harms_nobody_and_shows_its_traceback(wheel, fresh, tmp_path):
    broken = copy_of("foreign_backend", tmp_path)
    (broken / "abacus_arrays" / "plugin.py").write_text("raise OSError('abacus: a bead is missing')\n")
    environment = fresh()
    environment.install(wheel, built(broken, tmp_path / "dist"))
    assert environment.python("-c", TRAINING).startswith("numpy ")
    assert "abacus" in environment.program("dispatchtorch", "backends", "list")
    code = """
        from dispatchtorch.plugin.selection import get_backend
        try:
            get_backend("abacus")
        except RuntimeError as error:
            print(type(error).__name__, type(error.__cause__).__name__, error.traceback)
    """
    said = environment.python("-c", textwrap.dedent(code))
    assert said.startswith("BackendLoadError OSError Traceback")
    assert "a bead is missing" in said


def test_an_instrument_does_nothing_until_it_is_asked_for(environment):
    code = TRAINING + "import sys\nprint('callcounter' in sys.modules)"
    assert environment.python("-c", code).splitlines()[-1] == "False"


INSTRUMENTED = """
import callcounter
import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.plugin.manager import manager
x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])

def counted(act):
    before = callcounter.counts.copy()
    act()
    return callcounter.counts - before

assert counted(lambda: x + y)["add"] == 1
assert sum(counted(lambda: x.add_(y)).values()) >= 1
layer = nn.Linear(2, 2)
assert sum(counted(lambda: layer(x)).values()) >= 1
loss = layer(x).sum()
assert sum(counted(loss.backward).values()) >= 1
manager().unregister("callcounter")
assert not counted(lambda: (x + y, layer(x).sum().backward()))
manager().register(callcounter)
assert counted(lambda: x + y)["add"] == 1
print("counted")
"""


@pytest.mark.parametrize("backend", ["numpy", "abacus"])
def test_an_instrument_sees_forward_in_place_layers_and_backward(environment, backend):
    said = environment.python("-c", INSTRUMENTED, DISPATCHTORCH_PLUGINS="callcounter", DISPATCHTORCH_BACKEND=backend)
    assert said == "counted\n"


REPLACED = """
import callcounter, operator
import dispatchtorch as torch
from dispatchtorch.plugin.manager import manager
x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
assert (x * y).tolist() == [3.0, 8.0]
plugin = callcounter.Replacement("mul", lambda a, b, *out: operator.mul(a, b) * 100)
manager().register(plugin, "replacement")
assert (x * y).tolist() == [300.0, 800.0]
z = y.clone()
assert z.mul_(y).tolist() == [900.0, 1600.0]
(x * y).sum().backward()
assert x.grad.tolist() == [300.0, 400.0], x.grad
manager().unregister(plugin)
assert (x * y).tolist() == [3.0, 8.0]
print("replaced")
"""


@pytest.mark.parametrize("backend", ["numpy", "abacus"])
def test_a_replaced_kernel_serves_forward_in_place_and_backward(environment, backend):
    assert environment.python("-c", REPLACED, DISPATCHTORCH_BACKEND=backend) == "replaced\n"


def test_an_instrument_brings_its_own_command(environment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import dispatchtorch as torch\ntorch.tensor([1.0]) + torch.tensor([2.0])\n")
    said = environment.program("dispatchtorch", "count", script, DISPATCHTORCH_PLUGINS="callcounter")
    assert "'add': 1" in said


def test_a_disabled_plugin_stays_out(environment):
    code = "from dispatchtorch.plugin.manager import manager; print('callcounter' in manager().plugins())"
    settings = {"DISPATCHTORCH_PLUGINS": "callcounter", "DISPATCHTORCH_DISABLE": "callcounter,abacus"}
    assert environment.python("-c", code, **settings) == "False\n"
    listed = environment.program("dispatchtorch", "backends", "list", "--names", **settings)
    assert "abacus" not in listed
