"""torch.hub: weights by their address, kept in a cache, and models of a folder with a ``hubconf.py``.

Code is only taken from folders of this machine: fetching repositories and running them is refused.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from dispatchtorch._base import config
from dispatchtorch.serialization import load as _load_file

__all__ = [
    "HASH_REGEX", "download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir",
    "urlparse",
]  # fmt: skip

HASH_REGEX: Final = re.compile(r"-([a-f0-9]*)\.")
_CHUNK: Final = 1 << 17
_hub_dir: str | None = None


def _get_torch_home() -> str:
    """Returns torch's folder of the user's cache; libraries put theirs beside ``hub``."""
    return config.cache_home()


def get_dir() -> str:
    """Returns the folder of the cache: set, or ``hub`` in torch's folder of the user's cache."""
    return _hub_dir if _hub_dir is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Sets the folder of the cache."""
    global _hub_dir
    _hub_dir = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Writes what an address gives into the file ``dst``, which appears only when it is whole.

    RuntimeError where its SHA-256 does not begin with ``hash_prefix``. Nothing is printed on the way.
    """
    target = os.path.expanduser(dst)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(target) or ".", suffix=".partial", delete=False) as part:
        try:
            with urlopen(Request(url, headers={"User-Agent": "torch.hub"})) as answer:
                while chunk := answer.read(_CHUNK):
                    part.write(chunk)
                    digest.update(chunk)
            found = digest.hexdigest()
            if hash_prefix is not None and not found.startswith(hash_prefix):
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
            part.close()
            shutil.move(part.name, target)
        finally:
            part.close()
            if os.path.exists(part.name):
                os.remove(part.name)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Returns what the checkpoint at an address holds; it is fetched once and kept in the cache.

    ``check_hash``: the file's name holds the beginning of its SHA-256, which is checked.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    try:
        os.makedirs(folder)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stdout.flush()
        sys.stderr.write(f'Downloading: "{url}" to {path}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress)
    return _load_file(path, map_location=map_location, weights_only=weights_only)


# --- models of a folder ----------------------------------------------------------------------------------------------


def _hubconf(repo_or_dir: str, source: str) -> ModuleType:
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise NotImplementedError("repositories are not fetched: clone it and pass its folder with source='local'")
    sys.path.insert(0, repo_or_dir)
    try:
        spec = importlib.util.spec_from_file_location("hubconf", os.path.join(repo_or_dir, "hubconf.py"))
        assert spec is not None  # a path that ends in .py has one
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(repo_or_dir)
    missing = [name for name in getattr(module, "dependencies", ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module: ModuleType, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return found  # type: ignore[no-any-return]  # whatever the folder's author wrote


def load(repo_or_dir: str, model: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """Returns what the function ``model`` of a folder's ``hubconf.py`` makes; ``source`` has to be "local"."""
    for option in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        kwargs.pop(option, None)
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def help(github: str, model: str, *args: Any, source: str = "github", **unused: Any) -> str | None:
    """Returns the docstring of the function ``model`` of a folder's ``hubconf.py``."""
    return _entry(_hubconf(github, source), model).__doc__


def list(github: str, *args: Any, source: str = "github", **unused: Any) -> Any:
    """Returns the names of the functions in a folder's ``hubconf.py``."""
    module = _hubconf(github, source)
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]
