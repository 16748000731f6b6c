"""Runs the checks of one program in this process: ``python -m tests.unit.distributed_programs NAME``.

A program is a module of functions called ``check_...``, which run in order. Each is told of by a line of JSON; the
first that fails ends the program, since other processes would wait for this one.
"""

import importlib
import json
import sys
import time
import traceback


def main(name):
    """Returns the exit status."""
    program = importlib.import_module(f"tests.unit.distributed_programs.{name}")
    for title, check in list(vars(program).items()):
        if not title.startswith("check_"):
            continue
        began = time.monotonic()
        try:
            check()
        except BaseException:
            print(json.dumps({"check": title, "error": traceback.format_exc()}), flush=True)
            return 1
        print(json.dumps({"check": title, "error": None, "seconds": round(time.monotonic() - began, 2)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
