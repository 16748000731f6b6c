"""Which backends are installed, told from metadata and folders without importing any of them.

Two sources: the entry-point group ``dispatchtorch.backends`` (name = dotted manifest module), and, so that a checkout
on the path works as it is, packages called ``dispatchtorch_NAME`` whose ``plugin.py`` offers backends.
Must not know: what a backend does; nothing here imports a manifest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

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
    import importlib.metadata  # 30 ms, wanted at selection and not by `import dispatchtorch`

    for distribution in importlib.metadata.distributions(path=list(path)):
        text = distribution.read_text("entry_points.txt")
        if not text or GROUP not in text:
            continue  # most of them; reading further would parse every distribution's metadata
        for entry in distribution.entry_points.select(group=GROUP):
            source = f"distribution {distribution.name} {distribution.version}"
            yield Candidate(entry.name, entry.value.partition(":")[0].strip(), source)


def _from_folders(path: Sequence[str]) -> Iterator[Candidate]:
    from pathlib import Path  # 3 ms, wanted at selection and not by `import dispatchtorch`

    for entry in path:
        try:
            manifests = sorted(Path(entry or ".").glob(f"{_PREFIX}*/plugin.py"))
        except OSError:
            continue
        for manifest in manifests:
            package = manifest.parent.name
            if package.isidentifier() and _offers_backends(manifest):
                yield Candidate(package.removeprefix(_PREFIX), f"{package}.plugin", f"folder {manifest.parent}")


def _offers_backends(manifest: Path) -> bool:
    """Returns whether the source defines the hook: an instrumentation plugin's ``plugin.py`` is no backend."""
    try:
        return _HOOK in manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True  # unreadable: listed, so that asking for it shows the reason
