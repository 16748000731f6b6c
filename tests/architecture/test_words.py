"""A line of code knows its room: words that give away a line in the wrong one, and the shape every file has."""

import ast
import re

import pytest

from tests.architecture.source import BACKENDS, CORE, code_words, modules, name, tree

ALL = modules(CORE, BACKENDS)
LONGEST_FILE = 500

#: Names that say nothing about what is inside; the torch API prescribes the two exceptions.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
NAMED_BY_TORCH = {
    "dispatchtorch/distributions/utils",
    "dispatchtorch/utils",
    "dispatchtorch/nn/utils",
    "dispatchtorch/nn/modules/utils",
}


@pytest.mark.parametrize("library", ["cupy", "jax"])
def test_the_core_does_not_name_a_backend_library(library):
    found = [
        f"{name(path)}:{line}: {word}"
        for path in modules(CORE)
        for line, word in code_words(path)
        if library in word.lower()
    ]
    assert found == []


def test_backends_do_not_know_tensors():
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in modules(BACKENDS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\bTensor\b", line)
    ]
    assert found == []


def test_only_config_reads_the_environment():
    found = [
        f"{name(path)}:{node.lineno}"
        for path in ALL
        if path != CORE / "_base" / "config.py"
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb", "putenv"})
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _takes_environment(node))
    ]
    assert found == []


def _takes_environment(node: ast.ImportFrom) -> bool:
    return any(alias.name in {"environ", "getenv", "environb", "putenv"} for alias in node.names)


def test_module_names_say_what_is_inside():
    empty = {
        name(place)
        for path in ALL
        for place in (path.with_suffix(""), path.parent)
        if place.name.strip("_") in EMPTY_NAMES
    }
    assert empty <= NAMED_BY_TORCH


def test_no_file_is_a_topic():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}
    assert {file: length for file, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_module_opens_with_what_it_is_for():
    assert [name(path) for path in ALL if not (ast.get_docstring(tree(path)) or "").strip()] == []
