"""torch's op table against dispatchtorch: every row passes, or has its cause in `causes`. Needs PyTorch."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import dispatchtorch
from tests.oracle.asking import ask
from tests.oracle.causes import cause_of
from tests.oracle.rows import entries, full_name, rows

SAMPLES = {"numpy": None, "jax": 3}  # a row: a compiler sees each shape for the first time


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", list(entries()), ids=full_name)
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_entry(backend: str, op: object) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    with dispatchtorch.use_backend(backend):
        found = [(row, ask(row, 60)) for row in rows(op, SAMPLES[backend])]
    unexplained = [
        f"{row.name}: {outcome.reason}"
        for row, outcome in found
        if outcome.status == "fail" and not cause_of(row.name, backend)
    ]
    assert not unexplained, "\n".join(unexplained)
