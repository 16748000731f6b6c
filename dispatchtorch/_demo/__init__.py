"""``dispatchtorch demo``: trains a classifier of handwritten digits and prints the same loss curve on every backend.

This file reads arguments and prints; the program that is shown is ``digits``. Nothing heavy is imported until it runs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.errors import DispatchTorchError
from dispatchtorch.plugin.selection import default_backend, use_backend

__all__ = ["run"]

_BAR = 40  # characters for the largest loss


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dispatchtorch demo", description="Train a classifier on 1797 real handwritten digits."
    )
    parser.add_argument("--epochs", type=_positive, default=15, metavar="N", help="passes over the data (%(default)s)")
    parser.add_argument("--batch-size", type=_positive, default=32, metavar="N", help="images a step (%(default)s)")
    parser.add_argument("--lr", type=float, default=0.003, metavar="RATE", help="learning rate (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers (%(default)s)")
    parser.add_argument("--backend", default=None, metavar="NAME", help="which backend computes (the selected one)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no loss curve")
    return parser.parse_args(list(argv))


class _Screen:
    """Where progress is shown: a bar, if tqdm is installed and someone is watching, and a line for each epoch."""

    def __init__(self, quiet: bool, epochs: int, steps: int) -> None:
        self._quiet = quiet
        self._epochs = epochs
        self._first: float | None = None
        self._bar = None if quiet else _progress_bar(steps)

    def on_batch(self) -> None:
        """Moves the bar on by a step."""
        if self._bar is not None:
            self._bar.update()

    def on_epoch(self, epoch: int, loss: float) -> None:
        """Prints an epoch's loss, as a number and as a length."""
        if self._quiet:
            return
        self._first = loss if self._first is None else self._first
        length = round(_BAR * loss / self._first) if 0 < loss <= self._first else 0
        write: Callable[[str], Any] = print if self._bar is None else self._bar.write
        write(f"epoch {epoch:{len(str(self._epochs))}}/{self._epochs}  loss {loss:.4f}  {'#' * length}".rstrip())

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()


def _progress_bar(steps: int) -> Any:
    """Returns a bar on a terminal's standard error, or None."""
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return None
    return tqdm(total=steps, unit="step", leave=False, file=sys.stderr, disable=None)


def run(argv: Sequence[str]) -> int:
    """Returns the exit status of ``dispatchtorch demo`` with these arguments."""
    options = _arguments(argv)
    try:
        with use_backend(options.backend or default_backend()) as backend:
            digits = importlib.import_module("dispatchtorch._demo.digits")
            screen = _Screen(options.quiet, options.epochs, digits.batches(options.epochs, options.batch_size))
            begin = time.perf_counter()
            try:
                result = digits.train(
                    epochs=options.epochs,
                    batch_size=options.batch_size,
                    lr=options.lr,
                    seed=options.seed,
                    on_batch=screen.on_batch,
                    on_epoch=screen.on_epoch,
                )
            finally:
                screen.close()
            seconds = time.perf_counter() - begin
    except DispatchTorchError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"test accuracy {result.accuracy:.4f} ({result.correct} of {result.unseen} digits it had not seen)")
    print(f"backend {backend.name}, {seconds:.1f} s")
    return 0
