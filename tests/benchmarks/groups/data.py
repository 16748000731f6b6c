"""Loading batches, random numbers, and files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.case import Act, Group

__all__ = ["LOADING", "RANDOM", "SAVING"]

LOADING = Group("DataLoader epoch", {"numpy": 0.3})
RANDOM = Group("randn, randperm", {"numpy": 1.0})
SAVING = Group("save and load 100 MB", {"numpy": 1.0})


def _epoch(batch: int, shuffle: bool) -> None:
    @LOADING.case(f"10000 rows of 20, batch {batch}{', shuffled' if shuffle else ''}")
    def _(torch: Any) -> Act:
        data = torch.utils.data
        torch.manual_seed(0)
        rows = data.TensorDataset(torch.randn(10_000, 20), torch.randint(0, 10, (10_000,)))
        loader = data.DataLoader(rows, batch_size=batch, shuffle=shuffle)

        def epoch() -> object:
            torch.manual_seed(1)
            *_, last = loader
            return last

        return epoch


for _batch in (64, 512):
    _epoch(_batch, False)
    _epoch(_batch, True)


@LOADING.case("1000 pictures from a list, batch 64")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    pictures = [(torch.randn(3, 32, 32), i % 10) for i in range(1000)]
    loader = torch.utils.data.DataLoader(pictures, batch_size=64)

    def epoch() -> object:
        *_, last = loader
        return last

    return epoch


def _drawn(kind: str, size: int) -> None:
    times = max(1, 33_000 // size)  # short ones are made ahead, several at once: what that costs has its part in each

    @RANDOM.case(f"{kind}({size})" + (f", {times} times" if times > 1 else ""))
    def _(torch: Any) -> Act:
        torch.manual_seed(0)
        draw = getattr(torch, kind)

        def drawn() -> object:
            for _ in range(times - 1):
                draw(size)
            return draw(size)

        return drawn


for _kind in ("randn", "randperm", "rand"):
    for _size in (16, 1_000, 100_000, 1_000_000):
        _drawn(_kind, _size)


def _model(torch: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    return {f"layers.{i}.weight": torch.randn(1024, 1024) for i in range(25)}


def _save(name: str, *, over: bool) -> None:
    @SAVING.case(name, compare=False)
    def _(torch: Any) -> Act:
        state, folder = _model(torch), tempfile.TemporaryDirectory()
        path = Path(folder.name) / "model.pt"

        def save() -> None:
            if not over:
                path.unlink(missing_ok=True)
            torch.save(state, path)
            assert folder  # lives as long as the act

        return save


_save("save, 25 matrices", over=False)
_save("save, 25 matrices, over a file", over=True)


@SAVING.case("load, 25 matrices")
def _(torch: Any) -> Act:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "model.pt"
    torch.save(_model(torch), path)

    def load() -> object:
        assert folder  # lives as long as the act
        return torch.load(path)["layers.24.weight"]

    return load
