"""``dispatchtorch run script.py ...``: runs a program as Python would, but for `import torch`, which means us.

The program gets its own ``__main__``, ``sys.argv`` and ``sys.path[0]``; its exit status becomes ours.
"""

from __future__ import annotations

import argparse
import builtins
import io
import runpy
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

from dispatchtorch.cli import alias

__all__ = ["main"]

_USAGE = "dispatchtorch run [-h] (script.py | -m module) [arguments]"


def main(argv: Sequence[str]) -> int:
    """Returns 0 when the program ends, 1 after its traceback; SystemExit passes through as the program raised it."""
    parser = argparse.ArgumentParser(
        prog="dispatchtorch run", usage=_USAGE, description="Runs a program whose `import torch` means dispatchtorch."
    )
    if not argv or argv[0] in ("-h", "--help"):
        parser.parse_args(list(argv) or ["--help"])
    if argv[0] == "-m":
        if len(argv) < 2:
            parser.error("-m needs the name of a module")
        return _guarded(_run_module, argv[1], argv[2:])
    if argv[0].startswith("-"):
        parser.error(f"unknown option {argv[0]}; options of the program come after its name")
    if not Path(argv[0]).is_file():
        parser.error(f"can't open file {argv[0]!r}")
    return _guarded(_run_script, argv[0], argv[1:])


def _guarded(start: Callable[[str, Sequence[str]], None], what: str, arguments: Sequence[str]) -> int:
    """Returns 0, or 1 after a traceback that begins in the program and not in here."""
    alias.install()
    try:
        start(what, arguments)
    except Exception as error:
        frames = error.__traceback__
        while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
            frames = frames.tb_next
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0


def _is_ours(filename: str) -> bool:
    return filename == __file__ or filename.startswith("<frozen ")


def _run_script(script: str, arguments: Sequence[str]) -> None:
    folder = str(Path(script).resolve().parent)
    if not sys.flags.safe_path:
        sys.path[0] = folder  # ours led to this program, Python's would lead to the script
    sys.argv = [script, *arguments]
    with io.open_code(str(Path(script).resolve())) as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    main_module = types.ModuleType("__main__")
    vars(main_module).update({"__file__": script, "__builtins__": builtins, "__cached__": None})
    sys.modules["__main__"] = main_module
    exec(code, vars(main_module))


def _run_module(module: str, arguments: Sequence[str]) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = str(Path.cwd())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
