"""Records what torch's distributions answer, into tests/goldens/distributions.json.

``python -m tests.parity.record_distributions``, where torch is installed. A row is a program, and what each question to
the distribution that it makes gave: numbers to seven digits, from seed 11.
"""

from __future__ import annotations

import json
import pathlib
import warnings
from typing import Any

from tests.oracle.distributions import DISTRIBUTIONS

TARGET = pathlib.Path(__file__).parents[1] / "goldens" / "distributions.json"
QUESTIONS = ("mean", "variance", "entropy()", "sample()", "log_prob(x)")


def ask(torch: Any, made: Any) -> dict[str, Any]:
    """Returns the answers to each question; x is a sample."""
    answers: dict[str, Any] = {}
    torch.manual_seed(11)
    x = made.sample()
    for question in QUESTIONS:
        torch.manual_seed(11)
        try:
            value = eval(f"d.{question}", {"d": made, "x": x})
        except NotImplementedError:
            continue
        answers[question] = [float(f"{v:.7g}") for v in value.detach().reshape(-1).tolist()][:6]
    return answers


def main() -> None:
    import torch

    rows: dict[str, Any] = {}
    warnings.simplefilter("ignore")
    for name, grids in DISTRIBUTIONS.items():
        text = f"D.{name}({grids[0]})"
        torch.manual_seed(3)
        rows[text] = ask(torch, eval(text, {"torch": torch, "D": torch.distributions}))
    TARGET.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}\n")


if __name__ == "__main__":
    main()
