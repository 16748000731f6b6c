"""Stories: short programs that take the torch module and return plain data, told to PyTorch once and to us at every
run.

A test module holds its stories in a `Stories`; `record_stories` runs them with PyTorch and keeps what they return in
``tests/goldens/stories.json``; the test runs them with us, on each backend, and compares. Warnings are part of a story.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "stories.json"

Story = Callable[[Any], Any]
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_TRACEBACK = re.compile(r"Traceback of forward call that caused the error:.*", re.DOTALL)


# Warnings on which we differ on purpose: storages are not deprecated here, numpy's floating-point ones are switched
# off by
# a filter that `tell` replaces, PyTorch's __array__ lacks an argument, and one is said once a process.
_LEFT_OUT = (
    "TypedStorage is deprecated",
    " encountered in ",
    "__array__ implementation",
    "Converting a tensor with requires_grad=True to a scalar",
    "Using a non-tuple sequence for multidimensional indexing",
)


class Stories(dict[str, Story]):
    """The stories of one test module, by name; used as a decorator."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module.rpartition(".")[2]

    def __call__(self, story: Story) -> Story:
        assert story.__name__ not in self, f"two stories called {story.__name__}"
        self[story.__name__] = story
        return story

    def check(self, name: str, torch: Any) -> None:
        """Runs a story and compares with what PyTorch gave."""
        want = json.loads(GOLDENS.read_text())[self.module][name]
        got = tell(self[name], torch)
        problems = list(differences(got, want, ""))
        assert not problems, "\n".join(problems)


def attempt(act: Callable[[], Any]) -> Any:
    """What ``act`` returns, or the kind and the words of what it raises."""
    try:
        return act()
    except Exception as error:
        return f"{type(error).__name__}: {_ADDRESS.sub('0x', str(error))}"


def plain(value: Any) -> Any:
    """The same as lists, dicts, numbers and strings, which JSON keeps."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.detach().tolist())
    return _ADDRESS.sub("0x", repr(value))


def tell(story: Story, torch: Any) -> Any:
    """What a story returns, as plain data, with the warnings it caused."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(attempt(lambda: story(torch)))
        finally:
            torch.set_grad_enabled(True)  # a story may leave it off, in PyTorch too
    caught = [w for w in caught if not any(phrase in str(w.message) for phrase in _LEFT_OUT)]
    words = [_TRACEBACK.sub("Traceback of forward call", str(w.message)) for w in caught]
    return {
        "result": result,
        "warnings": [f"{w.category.__name__}: {text.split(' (Triggered')[0]}" for w, text in zip(caught, words)],
    }


def differences(got: Any, want: Any, where: str) -> Any:
    """Yields a line for each place where two plain values differ by more than rounding."""
    if isinstance(want, dict) and isinstance(got, dict) and got.keys() == want.keys():
        for key in want:
            yield from differences(got[key], want[key], f"{where}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        for i, (a, b) in enumerate(zip(got, want)):
            yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(want, float) and isinstance(got, float):
        if not math.isclose(got, want, rel_tol=1e-5, abs_tol=1e-6):
            yield f"{where}: got {got}, torch gives {want}"
    elif type(got) is not type(want) or got != want:
        yield f"{where}:\n   got  {got!r}\n   want {want!r}"
