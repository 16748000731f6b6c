"""Counts kernel calls: ``DISPATCHTORCH_PLUGINS=callcounter``. Knows no backend and no tensor."""

import collections
import functools
import runpy

from dispatchtorch.plugin import hookimpl

counts = collections.Counter()


@hookimpl
def dispatchtorch_wrap_kernel(op, kernel):
    """Returns a kernel that counts before it works."""

    @functools.wraps(kernel)
    def counting(*args):
        counts[op] += 1
        return kernel(*args)

    return counting


class Replacement:
    """A plugin that puts its own kernel in place of one op's, on every backend."""

    def __init__(self, op, kernel):
        self.op, self.kernel = op, kernel

    @hookimpl
    def dispatchtorch_kernel(self, op):
        """Returns the kernel for that op."""
        return self.kernel if op == self.op else None


@hookimpl
def dispatchtorch_cli(commands):
    """Adds ``dispatchtorch count script.py``."""
    commands.add("count", "run a script and print its kernel calls", lambda p: p.add_argument("script"), _count)


def _count(arguments):
    runpy.run_path(arguments.script, run_name="__main__")
    print(dict(sorted(counts.items())))
    return 0
