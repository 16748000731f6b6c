"""Every example a reader can see is run: the pages, the README, and the docstrings of the package.

A page is one story: its blocks share a namespace and run in order. A docstring stands alone, beside its module's names.
Blocks of Python without a prompt are excerpts; they have to compile.
"""

import __future__

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [
    path
    for base, folder in ((ROOT, "dispatchtorch"), (ROOT / "backends", "."))
    for path in sorted((base / folder).rglob("*.py"))
]

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def needs_the_package() -> None:
    """Skips where the facade is not written yet; a facade that exists and fails to import is a failure."""
    if not (ROOT / "dispatchtorch" / "__init__.py").exists():
        pytest.skip("there is no dispatchtorch/__init__.py yet")


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """(line, code) of each Python block of the page."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        yield text.count("\n", 0, match.start(1)), match.group(1)


def docstrings(path: Path) -> Iterator[tuple[str, int, str]]:
    """(qualified name, line, text) of each docstring that holds an example, without importing the file."""

    def walk(node: ast.AST, owner: str) -> Iterator[tuple[str, int, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from found(child, f"{owner}.{child.name}".lstrip("."))
                yield from walk(child, f"{owner}.{child.name}")
            elif not isinstance(child, ast.expr):
                yield from walk(child, owner)

    def found(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, title: str):
        text = ast.get_docstring(node)
        if text and ">>> " in text:
            yield title, node.body[0].lineno - 1, text

    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from found(tree, "module")
    yield from walk(tree, "")


def dotted(path: Path) -> str:
    """The import name of a source file."""
    base = ROOT / "backends" if ROOT / "backends" in path.parents else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run(test: doctest.DocTest) -> None:
    """Runs the examples; fails with doctest's own account of each one that printed something else."""
    account: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    result = runner.run(test, out=account.append, clear_globs=False)
    assert result.failed == 0, "".join(account)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page(page):
    needs_the_package()
    namespace: dict[str, object] = {"__name__": "__main__"}
    facade = importlib.import_module("dispatchtorch")
    try:
        for line, code in blocks(page):
            if 'set_backend("jax")' in code:
                pytest.importorskip("jax", reason="its library is not installed")
            if ">>> " in code:
                test = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), line)
                test.globs = namespace
                run(test)
            else:
                compile("\n" * line + code, str(page), "exec", __future__.annotations.compiler_flag, dont_inherit=True)
    finally:
        facade.set_backend(None)


EXAMPLES = [(path, title, line, text) for path in SOURCES for title, line, text in docstrings(path)]


@pytest.mark.parametrize(
    ("path", "title", "line", "text"), EXAMPLES, ids=[f"{dotted(path)}:{title}" for path, title, _, _ in EXAMPLES]
)
def test_the_examples_of_a_docstring(path, title, line, text):
    needs_the_package()
    facade = importlib.import_module("dispatchtorch")
    if ROOT / "backends" in path.parents:
        module = pytest.importorskip(dotted(path), reason="its library is not installed", exc_type=ImportError)
    else:
        module = importlib.import_module(dotted(path))
    if 'use_backend("jax")' in text:
        pytest.importorskip("jax", reason="its library is not installed")
    namespace = {**vars(module), "torch": facade}
    with facade.use_backend("numpy"):  # what a docstring says of memory is said of the default backend
        run(doctest.DocTestParser().get_doctest(text, namespace, title, str(path), line))
