"""The package's source as the architecture tests read it: files, parsed trees, and code without its prose.

Nothing here imports the package, so these tests say the same whether or not it works.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "dispatchtorch"
BACKENDS = ROOT / "backends"

_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def modules(*folders: Path) -> list[Path]:
    """Every Python file under the folders, in a stable order."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def name(path: Path) -> str:
    """The path as a reader of a failure wants it: relative to the checkout, with slashes."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree, parsed once a run."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def code_words(path: Path) -> Iterator[tuple[int, str]]:
    """(line, token) for all that is executed: names and literals, without comments and docstrings."""
    prose = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    }
    with io.BytesIO(path.read_bytes()) as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in _LAYOUT and token.start not in prose:
                yield token.start[0], token.string


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) for each import anywhere in the file; `from a import b` gives `a.b`, dots resolved."""
    base = CORE.parent if CORE in path.parents else BACKENDS
    package = list(path.relative_to(base).with_suffix("").parts[:-1])
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"
