"""Records the demo's loss curve in PyTorch into tests/goldens/demo.json: run with a Python that has torch.

The program is the demo's own file; only the package that it imports is another.
"""

import json
import pathlib
import sys
import types

import torch

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "dispatchtorch" / "_demo" / "digits.py"
GOLDEN = ROOT / "tests" / "goldens" / "demo.json"
CASES = [{}, {"epochs": 3, "seed": 7, "batch_size": 50, "lr": 0.01}]


def program():
    """Returns the demo as a module over PyTorch."""
    text = SOURCE.read_text(encoding="utf-8").replace("import dispatchtorch as torch", "import torch")
    module = types.ModuleType("digits_in_torch")
    module.__file__ = str(SOURCE)
    sys.modules[module.__name__] = module
    exec(compile(text.replace("from dispatchtorch", "from torch"), str(SOURCE), "exec"), module.__dict__)
    return module


def main():
    """Writes the file."""
    torch.set_num_threads(1)
    demo = program()
    record = []
    for options in CASES:
        result = demo.train(**options)
        record.append({"options": options, "losses": result.losses, "correct": result.correct})
    GOLDEN.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
