"""What a case of the table is: a builder that takes a torch module and returns the act that is timed.

Must not know: which library it is given, nor how acts are timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Act", "Case", "Compiling", "Group"]

Act = Callable[[], object]
Make = Callable[[Any], Act]


@dataclass
class Case:
    """One act: how a torch module does it, how plain numpy does, and whether both libraries must give equal values."""

    name: str
    make: Make
    plain: Callable[[], Act] | None = None
    compare: bool = True  # False where the values are not defined, as those of torch.empty
    rtol: float = 1e-3


@dataclass
class Group:
    """Cases under one limit: the geometric mean of the ratios to torch, and the worst ratio that is allowed.

    ``limits`` holds the greatest mean for each kind that is measured: ``numpy`` runs eagerly, ``onednn`` is numpy with
    the plugin of that name, ``jax`` is compiled.
    """

    name: str
    limits: dict[str, float]
    worst: float | None = None
    cases: list[Case] = field(default_factory=list)

    def case(self, name: str, **options: Any) -> Callable[[Make], None]:
        """Declares a case."""
        return lambda make: self.cases.append(Case(name, make, **options))


class Compiling:
    """A torch module with the mark by which a case knows that it should compile its step."""

    compiled = True

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
