"""The program ``dispatchtorch``: each sub-command as its user meets it, in a process of its own where that matters."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatchtorch import cli
from dispatchtorch.cli import conformance
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager

ROOT = Path(__file__).resolve().parents[2]
FACADE = ROOT / "dispatchtorch" / "__init__.py"

needs_facade = pytest.mark.skipif(not FACADE.exists(), reason="there is no dispatchtorch/__init__.py yet")
HEAVY = ("jax", "jaxlib", "cupy", "torch", "scipy")


def python(*arguments, cwd=ROOT, **variables):
    """A finished process of this Python with the checkout on its path and none of our settings."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DISPATCHTORCH_")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**clean, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def program(*arguments, **options):
    return python("-m", "dispatchtorch", *arguments, **options)


# --- what is imported -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    [
        "import dispatchtorch",
        "from dispatchtorch.cli import main; main(['backends', 'list'])",
        "from dispatchtorch.cli import main; main(['backends', 'list', '--names'])",
        "from dispatchtorch.cli import main; main(['backends', 'show', 'jax'])",
    ],
)
def test_no_array_library_is_imported_before_it_is_needed(code):
    done = python("-c", f"{code}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_are_listed_without_importing_a_manifest():
    code = "from dispatchtorch.cli import main; main(['backends', 'list', '--names']); import sys; print(*sys.modules)"
    done = python("-c", code)
    *names, modules = done.stdout.splitlines()
    assert {"cupy", "jax", "numpy"} <= set(names)
    assert [name for name in modules.split() if name.startswith("dispatchtorch_") and name.endswith(".plugin")] == []


# --- backends, doctor -------------------------------------------------------------------------------------------------
def test_backends_list_has_a_line_for_each_and_marks_the_selected_one(capsys):
    assert cli.main(["backends", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.replace("*", " ").split()[0] for line in lines[:-1]] == sorted(manager().installed())
    assert lines[-1].startswith("* selected: ")
    if importlib.util.find_spec("cupy") is None:
        (cupy,) = (line for line in lines if line.split()[0] == "cupy")
        assert 'needs cupy: pip install "dispatchtorch[cupy-cuda12]"' in cupy


def test_backends_show_prints_the_record(capsys):
    assert cli.main(["backends", "show", "numpy"]) == 0
    shown = capsys.readouterr().out
    for fact in ("name:     numpy", "devices:  cpu", "dispatchtorch_numpy.backend:", "needs:    numpy"):
        assert fact in shown


def test_an_unknown_backend_is_a_sentence_and_not_a_traceback():
    done = program("backends", "show", "numpi")
    assert done.returncode == 1
    assert done.stderr.startswith("dispatchtorch: error: unknown backend 'numpi'; installed: ")
    assert "did you mean 'numpy'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_backend_is_listed_and_shows_its_traceback_when_asked_for(tmp_path):
    package = tmp_path / "dispatchtorch_brokentoy"
    package.mkdir()
    (package / "plugin.py").write_text("1 / 0\ndef dispatchtorch_backends(): ...\n")
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r}); from dispatchtorch.cli import main; "
        "main(['backends', 'list']); sys.exit(main(['backends', 'show', 'brokentoy']))"
    )
    done = python("-c", code)
    assert done.returncode == 1
    assert "broken: ZeroDivisionError: division by zero" in done.stdout
    assert "numpy" in done.stdout
    assert "1 / 0" in done.stderr
    assert "dispatchtorch: error: backend 'brokentoy'" in done.stderr


def test_doctor_says_what_is_set_and_what_is_wrong():
    done = program("doctor", DISPATCHTORCH_BACKEND="numpi", DISPATCHTORCH_FALBACK="warn")
    assert done.returncode == 1
    for fact in ("python ", "numpy ", "pluggy ", "DISPATCHTORCH_BACKEND=numpi", "problems", "unknown backend 'numpi'"):
        assert fact in done.stdout
    assert "DISPATCHTORCH_FALBACK is set, and nothing in the core reads it" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value"), [("DISPATCHTORCH_FALLBACK", "1"), ("DISPATCHTORCH_PLUGINS", "no_such_module_of_mine")]
)
def test_doctor_survives_settings_that_stop_everything_else(variable, value):
    done = program("doctor", **{variable: value})
    assert done.returncode == 1
    assert done.stderr == ""
    assert variable in done.stdout.partition("problems")[2]
    done = program("backends", "list", **{variable: value})
    assert done.returncode == 1
    assert f"dispatchtorch: error: {variable}" in done.stderr


# --- the program itself -----------------------------------------------------------------------------------------------
def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if name not in shown] == []


def test_an_unknown_command_is_answered_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["doktor"])
    assert caught.value.code == 2
    assert "unknown command 'doktor'; there are backends, doctor, explain, demo" in capsys.readouterr().err


class Greeting:
    @hookimpl
    def dispatchtorch_cli(self, commands):
        commands.add("greet", "say hello", lambda parser: parser.add_argument("--name", default="you"), self.greet)

    @staticmethod
    def greet(arguments):
        print(f"hello {arguments.name}")
        return 7


def test_a_plugin_adds_a_command(capsys):
    manager().register(Greeting(), "greeting")
    try:
        assert cli.main(["greet", "--name", "me"]) == 7
        assert capsys.readouterr().out == "hello me\n"
        with pytest.raises(SystemExit):
            cli.main(["-h"])
        assert "greet        say hello" in capsys.readouterr().out
    finally:
        manager().unregister("greeting")


def test_a_plugin_cannot_take_a_name_that_exists():
    table = cli.CommandTable(taken=cli.COMMANDS)
    with pytest.raises(ValueError, match="the command 'demo' exists already"):
        table.add("demo", "", lambda parser: None, lambda arguments: 0)


def test_conformance_hands_the_rest_to_pytest():
    assert conformance.command("numpy", ["-k", "add", "-x"])[1:] == [
        "-m", "pytest", "-p", "dispatchtorch.testing.conformance.plugin",
        "--pyargs", "dispatchtorch.testing.conformance", "--backend", "numpy", "-k", "add", "-x",
    ]  # fmt: skip


@needs_facade
def test_explain_prints_the_ladder():
    done = program("explain", "add", "--backend", "numpy")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("add on numpy:\n")
    assert "-> " in done.stdout
    done = program("explain", "no_such_op", "--backend", "numpy")
    assert done.returncode == 2
    assert "there is no op called 'no_such_op'" in done.stderr


# --- run --------------------------------------------------------------------------------------------------------------
def script(folder, text, name="program.py"):
    path = folder / name
    path.write_text(text)
    return path


@needs_facade
def test_run_gives_one_module_under_two_names(tmp_path):
    path = script(
        tmp_path,
        """
import sys, importlib, importlib.util
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader
import dispatchtorch, dispatchtorch.nn.functional, dispatchtorch.utils.data
assert torch is dispatchtorch and sys.modules["torch"] is sys.modules["dispatchtorch"]
assert nn is dispatchtorch.nn and F is dispatchtorch.nn.functional is torch.nn.functional
assert DataLoader is dispatchtorch.utils.data.DataLoader
assert importlib.import_module("torch.nn.functional") is F
assert F.__spec__.name == "dispatchtorch.nn.functional"
assert importlib.util.find_spec("torch.nn") is not None
assert importlib.reload(importlib.import_module("json")) is not None
for name in ("torch._no_such", "torch.nn.no_such", "torchlike"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == name, error.name
    else:
        raise AssertionError(name)
print((torch.tensor([1.0, 2.0]) + 1).tolist())
""",
    )
    done = program("run", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2.0, 3.0]\n"


def test_run_is_what_python_does_but_for_torch(tmp_path):
    (tmp_path / "neighbour.py").write_text("value = 5\n")
    path = script(
        tmp_path,
        """
import os, pickle, sys
import neighbour
class Thing:
    pass
assert __name__ == "__main__" and __file__ == sys.argv[0]
assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
assert sys.path[0] == os.path.dirname(os.path.realpath(__file__))
print(sys.argv[1:], neighbour.value)
sys.exit(9)
""",
    )
    done = program("run", path, "--backend", "x", "-h", cwd=tmp_path)
    assert done.returncode == 9, done.stderr
    assert done.stdout == "['--backend', 'x', '-h'] 5\n"


def test_run_shows_the_programs_traceback_and_not_ours(tmp_path):
    path = script(tmp_path, "def fail():\n    raise LookupError('gone')\nfail()\n")
    ours, real = program("run", path), python(path)
    assert ours.returncode == real.returncode == 1
    assert ours.stderr == real.stderr
    path = script(tmp_path, "x = = 1\n")
    assert program("run", path).stderr == python(path).stderr


def test_a_program_that_is_run_sees_the_version_of_the_pytorch_whose_interface_this_is(tmp_path):
    path = tmp_path / "job.py"
    path.write_text(
        "import torch\nfrom importlib.metadata import packages_distributions, version\n"
        "print(torch.__version__, torch.version.__version__, version('torch'),"
        " 'torch' in packages_distributions()['torch'])\n"
        "print(torch.__version__ >= (2, 13), torch.__version__ < '2.14')\n"
    )
    done = program("run", path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [" ".join(["2.13.0+dispatchtorch"] * 3 + ["True"]), "True True"]


def test_run_takes_a_module_too(tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "__init__.py").touch()
    script(tmp_path / "job", "import sys\nprint(__name__, __package__, sys.argv[1:])\n", "__main__.py")
    done = program("run", "-m", "job", "a", "-b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "__main__ job ['a', '-b']\n"), done.stderr


def test_run_says_what_it_cannot_open(tmp_path):
    done = program("run", tmp_path / "absent.py")
    assert done.returncode == 2
    assert "can't open file" in done.stderr
    assert program("run").returncode == 0


def test_torch_is_not_aliased_anywhere_else():
    done = python("-c", "import dispatchtorch.cli, dispatchtorch.cli.run, sys; print(type(sys.meta_path[0]).__name__)")
    assert "AliasFinder" not in done.stdout
