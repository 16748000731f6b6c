"""Printing: the recorded texts of PyTorch, the public options, and what is moved to the host."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dispatchtorch.tensor import format as printing

CASES = json.loads((Path(__file__).parents[1] / "goldens" / "format.json").read_text())["cases"]
FACTS: dict[str, Any] = {"default_dtype": "float32", "device": None, "requires_grad": False, "grad_fn": None}


@pytest.fixture(autouse=True)
def _keep_options() -> Iterator[None]:
    """Return nothing; put the process-wide options back after each test."""
    before = printing.get_printoptions()
    yield
    printing.set_printoptions(**before)


def show(values: Any, **facts: Any) -> str:
    """Return the printed form of an array, by its own dtype unless told another."""
    array = np.asarray(values)
    return printing.render(array.__getitem__, array.shape, **{"dtype": str(array.dtype), **FACTS, **facts})


def test_there_are_hundreds_of_recorded_texts() -> None:
    assert len(CASES) > 300
    assert {case["facts"]["dtype"] for case in CASES} >= {"bfloat16", "float16", "complex64", "uint64", "bool"}


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['facts']['dtype']}-{'x'.join(map(str, case['shape']))}"
)
def test_recorded_text(case: dict[str, Any]) -> None:
    values = np.frombuffer(base64.b64decode(case["data"]), dtype=case["wire"]).reshape(case["shape"])
    with printing.printoptions(**case["options"]):
        assert printing.render(values.__getitem__, values.shape, **case["facts"]) == case["text"]


def test_suffixes_stand_in_order_and_wrap() -> None:
    text = show(np.zeros((2, 2)), device="cuda:0", grad_fn="AddBackward0", requires_grad=True)
    assert text == (
        "tensor([[0., 0.],\n        [0., 0.]], device='cuda:0', dtype=torch.float64,\n       grad_fn=<AddBackward0>)"
    )


def test_head_sets_the_indent_by_its_last_line() -> None:
    assert show(np.zeros((2, 1), np.float32), head="Buffer") == "Buffer([[0.],\n        [0.]])"
    text = show(np.zeros((2, 1), np.float32), head="Parameter containing:\ntensor", requires_grad=True)
    assert text == "Parameter containing:\ntensor([[0.],\n        [0.]], requires_grad=True)"


def test_without_values() -> None:
    text = printing.render(None, (2, 3), dtype="int64", **{**FACTS, "device": "meta"})
    assert text == "tensor(..., device='meta', size=(2, 3), dtype=torch.int64)"


def test_extension_floats_print_like_their_float32_values() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([1.5, -2.25, 1e30, np.nan])
    assert show(values.astype(ml_dtypes.bfloat16)) == show(
        values.astype(ml_dtypes.bfloat16).astype(np.float32), dtype="bfloat16"
    )
    assert show(np.array([0.1, 448], ml_dtypes.float8_e4m3fn)).endswith("dtype=torch.float8_e4m3fn)")


@pytest.mark.parametrize("shape", [(10**6,), (1000, 3, 1000), (7, 7, 7, 7)])
def test_a_summary_moves_only_the_corners(shape: tuple[int, ...]) -> None:
    values = np.broadcast_to(np.float32(0.5), shape)
    moved = 0

    def fetch(index: tuple[slice, ...]) -> Any:
        nonlocal moved
        piece = values[index]
        moved += piece.size
        return piece

    text = printing.render(fetch, shape, dtype="float32", **FACTS)
    assert "..." in text
    assert moved == math.prod(min(size, 6) for size in shape)


def test_a_summary_of_nothing_moves_nothing() -> None:
    def fetch(_: tuple[slice, ...]) -> Any:
        raise AssertionError("values were asked for")

    printing.set_printoptions(edgeitems=0)
    assert printing.render(fetch, (40, 40), dtype="float32", **FACTS) == "tensor([...], size=(40, 40))"


def test_set_printoptions_keeps_what_is_not_named_except_sci_mode() -> None:
    printing.set_printoptions(precision=2, sci_mode=True)
    assert show(np.array([1.125], np.float32)) == "tensor([1.12e+00])"
    printing.set_printoptions(linewidth=40)
    assert printing.get_printoptions() == {
        "precision": 2,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 40,
        "sci_mode": None,
    }


def test_profiles() -> None:
    printing.set_printoptions(linewidth=10, profile="short", precision=7)
    chosen = printing.PrintOptions(**printing.get_printoptions())
    assert chosen == printing.PrintOptions(precision=7, edgeitems=2, linewidth=10)
    printing.set_printoptions(profile="full")
    assert printing.get_printoptions()["threshold"] == math.inf
    printing.set_printoptions(profile="default")
    assert printing.PrintOptions(**printing.get_printoptions()) == printing.PrintOptions()
    printing.set_printoptions(precision=1)
    printing.set_printoptions(profile="default")
    assert printing.PrintOptions(**printing.get_printoptions()) == printing.PrintOptions()


def test_printoptions_restores_after_an_error() -> None:
    printing.set_printoptions(sci_mode=False, precision=3)
    before = printing.get_printoptions()

    def fail_inside() -> None:
        with printing.printoptions(precision=9):
            assert printing.get_printoptions() == {**before, "precision": 9, "sci_mode": None}
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert printing.get_printoptions() == before


def test_unknown_option_is_refused_and_changes_nothing() -> None:
    before = printing.get_printoptions()
    with pytest.raises(TypeError), printing.printoptions(digits=3):
        pass
    assert printing.get_printoptions() == before


def test_options_hold_in_every_thread() -> None:
    texts: list[str] = []
    with printing.printoptions(precision=1):
        worker = threading.Thread(target=lambda: texts.append(show(np.array([0.25], np.float32))))
        worker.start()
        worker.join()
    assert texts == ["tensor([0.2])"]


def test_printing_is_silent_about_odd_values() -> None:
    signalling = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    tiny_and_huge = np.array([5e-324, 1.7976931348623157e308])
    with np.errstate(all="raise"):
        assert show(signalling) == "tensor([nan, nan])"
        assert show(tiny_and_huge) == "tensor([4.9407e-324, 1.7977e+308], dtype=torch.float64)"
