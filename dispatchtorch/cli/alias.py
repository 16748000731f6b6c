"""``import torch`` that means dispatchtorch: a finder for one process, installed by `run` only.

``torch`` and ``dispatchtorch``, ``torch.nn`` and ``dispatchtorch.nn`` become one module object under two names, so that
classes, caches and global state exist once. An installed torch is not touched: it is merely not found.

Libraries ask for the version and turn away what is too old, so under the alias ``torch.__version__`` and
``importlib.metadata.version("torch")`` name the PyTorch whose interface this is, with our mark behind the plus.
Must not know: what is in the modules.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import ModuleType
from typing import Final

from dispatchtorch.torch_version import TorchVersion

__all__ = ["VERSION", "AliasFinder", "install"]

ALIAS: Final = "torch"
TARGET: Final = "dispatchtorch"

#: The PyTorch whose interface this is.
VERSION: Final = TorchVersion("2.13.0+dispatchtorch")


class AliasDistribution(Distribution):
    """What ``importlib.metadata`` shows as the installed distribution called torch."""

    _FILES: Final = {
        "METADATA": f"Metadata-Version: 2.1\nName: {ALIAS}\nVersion: {VERSION}\n",
        "top_level.txt": f"{ALIAS}\n",
    }

    def read_text(self, filename: str) -> str | None:
        """Returns the text of a metadata file, or None where there is no such file."""
        return self._FILES.get(filename)

    def locate_file(self, path: object) -> Path:
        """Returns where a file of the package would be."""
        return Path(__file__).resolve().parents[1] / str(path)


class AliasFinder(MetaPathFinder, Loader):
    """Finds ``torch`` and everything under it in dispatchtorch, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns a spec that leads to our module; ModuleNotFoundError for a torch name that we do not have."""
        if fullname != ALIAS and not fullname.startswith(ALIAS + "."):
            return None
        module = _locate(fullname)
        if module is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r} (dispatchtorch has no {_ours(fullname)!r})", name=fullname
            )
        return ModuleSpec(fullname, self, is_package=hasattr(module, "__path__"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Returns our module itself, imported under its own name."""
        module = _locate(spec.name)
        assert module is not None  # find_spec has seen it
        spec.loader_state = module.__spec__  # the import system is about to overwrite it
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its own spec back; it has been executed long before."""
        alias = module.__spec__
        if alias is not None:
            module.__spec__ = alias.loader_state

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        """Returns the distribution called torch, if all or that one are asked for."""
        name = None if context is None else context.name
        return [AliasDistribution()] if name is None or name.lower() == ALIAS else []


def _ours(fullname: str) -> str:
    return TARGET + fullname.removeprefix(ALIAS)


def _locate(fullname: str) -> ModuleType | None:
    """Returns our module for a name under the alias: a module of that name, or an attribute that is a module."""
    ours = _ours(fullname)
    if ours in sys.modules:
        return sys.modules[ours]
    parent, _, leaf = ours.rpartition(".")
    if importlib.util.find_spec(ours) is not None:
        return importlib.import_module(ours)
    door = getattr(sys.modules.get(parent), leaf, None)
    return door if isinstance(door, ModuleType) else None


def install() -> AliasFinder:
    """Returns the finder, now asked first for every import; RuntimeError if another torch is already imported."""
    present = sys.modules.get(ALIAS)
    if present is not None and present is not sys.modules.get(TARGET):
        raise RuntimeError("torch has already been imported in this process; `import torch` cannot mean dispatchtorch")
    finder = AliasFinder()
    sys.meta_path.insert(0, finder)
    for module in (importlib.import_module(TARGET), importlib.import_module(TARGET + ".version")):
        vars(module)["__version__"] = VERSION
    return finder
