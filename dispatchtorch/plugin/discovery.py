"""Which backends are installed, told from metadata and folders without importing any of them.

Two sources: the entry-point group ``dispatchtorch.backends`` (name = dotted manifest module), and, so that a checkout
on the path works as it is, packages called ``dispatchtorch_NAME`` whose ``plugin.py`` offers backends.
Must not know: what a backend does; nothing here imports a manifest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from typing import Final, NamedTuple

__all__ = ["GROUP", "Candidate", "find"]

GROUP: Final = "dispatchtorch.backends"
_PREFIX: Final = "dispatchtorch_"
_HOOK: Final = "def dispatchtorch_backends("


class Candidate(NamedTuple):
    """A backend's name with the manifest module that offers it, not imported."""

    name: str
    module: str
    source: str  # who brings it, for people: "distribution mine 1.0" or a folder

    def __str__(self) -> str:
        return f"{self.module} ({self.source})"


def find(path: Sequence[str] | None = None) -> dict[str, tuple[Candidate, ...]]:
    """Returns installed backend names with their candidates, sorted; more than one for a name is a clash.

    ``path`` stands in for ``sys.path``.
    """
    where = list(sys.path if path is None else path)
    found: dict[str, dict[str, Candidate]] = {}
    for candidate in (*_from_metadata(where), *_from_folders(where)):
        # One manifest met twice (metadata and folder, or two copies on the path) is one candidate: Python imports one.
        found.setdefault(candidate.name, {}).setdefault(candidate.module, candidate)
    return {name: tuple(found[name].values()) for name in sorted(found)}


def _from_metadata(path: Sequence[str]) -> Iterator[Candidate]:
    """Yields what installed distributions offer; folders are read here, since `importlib.metadata` takes 25 ms."""
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder):
        yield from _from_finders(path)  # somebody has distributions elsewhere
        return
    for folder in path:
        if folder.endswith(".egg") or os.path.isfile(folder):
            yield from _from_finders([folder])
            continue
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield from _from_record(os.path.join(folder, name))


def _from_record(record: str) -> Iterator[Candidate]:
    """Yields what one installed distribution offers, by the folder of its metadata."""
    text = _text(record, "entry_points.txt")
    if GROUP not in text:
        return  # most of them
    header = (_text(record, "METADATA") or _text(record, "PKG-INFO")).partition("\n\n")[0]
    facts = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line and not line[0].isspace())
    source = f"distribution {facts.get('Name', '')} {facts.get('Version', '')}"
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            yield Candidate(name.strip(), value.partition(":")[0].strip(), source)


def _text(record: str, name: str) -> str:
    try:
        with open(os.path.join(record, name), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _from_finders(path: Sequence[str]) -> Iterator[Candidate]:
    import importlib.metadata  # see above

    for distribution in importlib.metadata.distributions(path=list(path)):
        text = distribution.read_text("entry_points.txt")
        if not text or GROUP not in text:
            continue  # reading further would parse every distribution's metadata
        for entry in distribution.entry_points.select(group=GROUP):
            source = f"distribution {distribution.name} {distribution.version}"
            yield Candidate(entry.name, entry.value.partition(":")[0].strip(), source)


def _from_folders(path: Sequence[str]) -> Iterator[Candidate]:
    for entry in path:
        try:
            names = sorted(os.listdir(entry or "."))
        except OSError:
            continue
        for package in names:
            manifest = os.path.join(entry, package, "plugin.py")
            named = package.startswith(_PREFIX) and package.isidentifier() and os.path.exists(manifest)
            if named and _offers_backends(manifest):
                folder = os.path.normpath(os.path.dirname(manifest))
                yield Candidate(package.removeprefix(_PREFIX), f"{package}.plugin", f"folder {folder}")


def _offers_backends(manifest: str) -> bool:
    """Returns whether the source defines the hook: an instrumentation plugin's ``plugin.py`` is no backend."""
    try:
        with open(manifest, encoding="utf-8") as file:
            return _HOOK in file.read()
    except (OSError, UnicodeDecodeError):
        return True  # unreadable: listed, so that asking for it shows the reason
