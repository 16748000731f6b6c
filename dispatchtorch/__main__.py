"""``python -m dispatchtorch``: the program `dispatchtorch.cli` without an installed script."""

import sys

from dispatchtorch.cli import main

if __name__ == "__main__":
    sys.exit(main())
