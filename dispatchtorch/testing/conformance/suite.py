"""The kit as a test class: ``class TestMine(Conformance): backend = "mine"`` is the whole suite in any pytest file.

One test for each op, aspect and dtype. What a backend says it cannot do (`Backend.gaps`) is a strict xfail, a dtype
that it lacks is a skip that names it. Knows pytest, the checks and no backend.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

import pytest

from dispatchtorch.dispatch.resolve import NoKernelError
from dispatchtorch.plugin.backend import Backend, Gap
from dispatchtorch.plugin.selection import get_backend, use_backend
from dispatchtorch.testing.conformance import contract, engine
from dispatchtorch.testing.conformance.cases import Case, cases
from dispatchtorch.testing.conformance.checks import ASPECTS
from dispatchtorch.testing.conformance.reference import check, references
from dispatchtorch.testing.goldens import load

__all__ = ["DTYPES", "Conformance", "tests_of"]

DTYPES: Final = ("float32", "float64", "int64", "bool", "complex64", "float16", "bfloat16")
_OFTEN: Final = 100  # tests after which a backend is asked to forget what it has compiled: it would be gigabytes
_EVERYWHERE: Final = frozenset({"float32", "int64", "bool", "int32", "uint8"})  # no backend can be without
_COUNT: Final = itertools.count(1)


def tests_of(case: Case) -> Iterator[tuple[str, str]]:
    """Yields the aspects and dtypes in which a case is tested."""
    known = load().dtypes(case.name) or ("float32", "float64")
    for dtype in DTYPES:
        if dtype in known and not (case.name.startswith("_") and dtype in ("int64", "bool")):
            yield "forward", dtype
    yield "aliasing", "float32"
    yield "gradient", "float32"
    if "complex64" in known:
        yield "gradient", "complex64"
    yield "gradcheck", "float64"
    yield "gradgradcheck", "float64"
    if case.inplace is not None:
        yield "inplace", "float32"
    if case.with_out is not None:
        yield "out", "float32"
    if case.method is not None:
        yield "method", "float32"


def _gap(backend: Backend, case: Case, dtype: str) -> Gap | None:
    names = (case.name, "_" + case.name)
    return next((g for g in backend.gaps if g.op in names and (not g.dtypes or dtype in g.dtypes)), None)


def lacks(backend: Backend, dtype: str) -> bool:
    """Returns whether the backend does not claim a dtype."""
    return dtype not in _EVERYWHERE and dtype not in backend.capabilities


def shortened(case: Case, calls: int | None) -> Case:
    """Returns the case with its first calls alone; whole where ``calls`` is None."""
    return case if calls is None else replace(case, sampler=lambda make: itertools.islice(case.sampler(make), calls))


class Conformance:
    """The suite for one backend; a subclass names it, and may narrow ``aspects``, ``dtypes``, ``names``, ``calls``."""

    backend: ClassVar[str]
    aspects: ClassVar[tuple[str, ...]] = tuple(ASPECTS)
    dtypes: ClassVar[tuple[str, ...]] = DTYPES
    names: ClassVar[frozenset[str]] = frozenset()  # empty: every op
    calls: ClassVar[int | None] = None  # how many samples of each op, and of each entry of torch's; None: all
    reference: ClassVar[bool] = True  # whether torch's own samples of its ops are asked too

    @pytest.fixture(autouse=True)
    def _selected(self) -> Iterator[None]:
        """Selects the backend for one test; a gap that another op runs into counts as declared."""
        with use_backend(self.backend):
            yield
        if next(_COUNT) % _OFTEN == 0:
            get_backend(self.backend).forget()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Makes one test of each op, aspect and dtype, and one of each entry of torch's own table."""
        if "entry" in metafunc.fixturenames:
            self._entries(metafunc)
        if "aspect" not in metafunc.fixturenames:
            return
        backend = get_backend(self.backend)
        params: list[Any] = []
        for whole in cases().values():
            if self.names and whole.name not in self.names:
                continue
            case = shortened(whole, self.calls)
            for aspect, dtype in tests_of(case):
                if aspect not in self.aspects or dtype not in self.dtypes:
                    continue
                marks: list[Any] = []
                gap = _gap(backend, case, dtype)
                if gap is not None:
                    marks.append(pytest.mark.xfail(reason=gap.reason, strict=aspect == "forward"))
                if lacks(backend, dtype):
                    marks.append(pytest.mark.skip(reason=f"{backend.name} has no {dtype}"))
                params.append(pytest.param(aspect, case, dtype, id=f"{case.name}-{aspect}-{dtype}", marks=marks))
        metafunc.parametrize(("aspect", "case", "dtype"), params)

    def _entries(self, metafunc: pytest.Metafunc) -> None:
        backend = get_backend(self.backend)
        params = []
        for entry in references() if self.reference and not self.names else ():
            last = entry.rpartition(".")[2] if not entry.startswith("linalg.") else entry.replace(".", "_")
            gap = next((g for g in backend.gaps if g.op.strip("_") in (last, entry)), None)
            marks = [pytest.mark.xfail(reason=gap.reason, strict=False)] if gap is not None else []
            params.append(pytest.param(entry, id=entry, marks=marks))
        metafunc.parametrize("entry", params)

    @pytest.mark.filterwarnings("ignore")
    def test_reference(self, entry: str, record_property: Any) -> None:
        """Calls from torch's own tests give torch's values and gradients."""
        record_property("conformance", ("torch's samples", entry, "reference", ""))
        for one in references()[entry][: self.calls]:
            check(one)

    @pytest.mark.filterwarnings("ignore")
    def test_op(self, aspect: str, case: Case, dtype: str, record_property: Any) -> None:
        """Runs one check; the report reads the properties."""
        record_property("conformance", (case.family, case.name, aspect, dtype))
        try:
            ASPECTS[aspect](case, dtype)
        except NoKernelError as error:
            if any(g.reason in str(error) for g in get_backend(self.backend).gaps):
                pytest.xfail(str(error).splitlines()[1])
            raise

    @pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
    def test_contract(self, law: Any) -> None:
        """The backend keeps the contract of `dispatchtorch.plugin.Backend`."""
        law(get_backend(self.backend))

    @pytest.mark.parametrize("law", engine.LAWS, ids=lambda law: law.__name__)
    @pytest.mark.filterwarnings("ignore")
    def test_engine(self, law: Any) -> None:
        """Differentiation, in-place writes, errors and random streams work on the backend as in torch."""
        law()
