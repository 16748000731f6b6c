"""Records what PyTorch makes of the stories in tests/unit: ``python -m tests.parity.record_stories`` where torch is
installed."""

import importlib
import json

import torch

from tests.parity.stories import GOLDENS, tell

MODULES = (
    "test_autograd_backward",
    "test_autograd_checkpoint",
    "test_autograd_function",
    "test_autograd_graph",
    "test_autograd_hooks",
    "test_autograd_inference",
    "test_autograd_modes",
    "test_autograd_overrides",
    "test_bad_input",
    "test_inplace_history",
    "test_tensor_members",
)


def main() -> None:
    """Writes the goldens."""
    found = {}
    for name in MODULES:
        stories = importlib.import_module(f"tests.unit.{name}").story
        found[name] = {title: tell(told, torch) for title, told in stories.items()}
        print(name, len(found[name]))
    GOLDENS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
