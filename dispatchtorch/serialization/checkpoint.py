"""``torch.save`` and ``torch.load``: which format, which reader, and torch's words when only weights are wanted."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch.serialization.allowed import is_allowed
from dispatchtorch.serialization.archive import ArchiveReader, is_zip
from dispatchtorch.serialization.files import FileLike, archive_name, is_path, opened, written
from dispatchtorch.serialization.legacy import read_legacy, write_legacy
from dispatchtorch.serialization.safetensors import load_file
from dispatchtorch.serialization.settings import skipping
from dispatchtorch.serialization.storages import MapLocation, restoring
from dispatchtorch.serialization.unpickling import Reading, names_in
from dispatchtorch.serialization.versions import check_pickle_module
from dispatchtorch.serialization.zipped import read_archive, write_archive

__all__ = ["get_unsafe_globals_in_checkpoint", "load", "save"]

_UNSAFE: Final = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed, "
    "but it can result in arbitrary code execution. Do it only if you got the file from a "
    "trusted source."
)
_DOCS: Final = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
)


def save(
    obj: Any,
    f: FileLike,
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Writes an object with all its tensors to a path or file, in the format that torch reads.

    Tensors that share a storage share it in the file; a tensor that is a view brings its whole storage along. A path is
    replaced only when everything has been written.

    >>> import io
    >>> buffer = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    {'weight': tensor([1., 1.])}
    """
    check_pickle_module(pickle_module)
    with written(f) as sink:
        if _use_new_zipfile_serialization:
            name, byteorder = archive_name(f), not _disable_byteorder_record
            write_archive(obj, sink, name, pickle_protocol, pickle_module, byteorder)
        elif skipping():
            raise RuntimeError("Cannot use skip_data=True with _use_new_zipfile_serialization=False")
        else:
            write_legacy(obj, sink, pickle_protocol, pickle_module)


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Returns the object that ``torch.save`` wrote, here or in torch.

    Only tensors, numbers, strings and plain containers are built unless ``weights_only=False``, which runs whatever
    code the file names. ``map_location``: a device, a dict from tag to tag, or a callable of storage and tag.
    ``mmap=True`` leaves the values of a path in the file until they are used.
    """
    weights_only = pickle_module is None if weights_only is None else bool(weights_only)
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    check_pickle_module(pickle_module)
    if weights_only and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", UserWarning, stacklevel=2)
    unpickler = (pickle_module or pickle).Unpickler
    reading = Reading(weights_only, {"encoding": "utf-8", **pickle_load_args}, unpickler)
    restore = restoring(map_location)
    if is_path(f) and os.fspath(f).endswith(".safetensors"):
        return load_file(f, _one_device(map_location))
    try:
        with opened(f) as file:
            if is_zip(file):
                if mmap and not is_path(f):
                    raise ValueError("f must be a file path in order to use the mmap argument")
                return read_archive(file, reading, restore, _UNSAFE, map_file=bool(mmap))
            if mmap:
                name = f"{f}, " if isinstance(f, str) else ""
                raise RuntimeError(
                    "mmap can only be used with files saved with "
                    f"`torch.save({name}_use_new_zipfile_serialization=True), "
                    "please torch.save your checkpoint with this option in order to use mmap."
                )
            return read_legacy(file, reading, restore, _UNSAFE)
    except pickle.UnpicklingError as error:
        if not weights_only:
            raise
        raise pickle.UnpicklingError(_explained(str(error))) from None


def _one_device(map_location: MapLocation) -> str:
    """Returns the device that a file without tags goes to; RuntimeError for what needs tags."""
    if map_location is None:
        return "cpu"
    if isinstance(map_location, (str, Device)):
        return str(map_location)
    if isinstance(map_location, bytes):
        return map_location.decode("ascii")
    kind = "dict" if isinstance(map_location, Mapping) else "callable"
    raise RuntimeError(
        f"Loading safetensors file with {kind} map_location is not supported. Use a device string or torch.device "
        "instead."
    )


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """Returns the names in a checkpoint that ``weights_only=True`` would refuse; nothing of it is built."""
    with opened(f) as file:
        if not is_zip(file):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        archive = ArchiveReader(file)
        if "constants.pkl" in archive:
            raise ValueError(
                "Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint"
            )
        found = names_in(archive.read("data.pkl"))
    return sorted(f"{module}.{name}" for module, name in found if not is_allowed(f"{module}.{name}"))


def _explained(message: str) -> str:
    """Returns torch's advice around what the restricted reader said."""
    if re.search(r"GLOBAL (\S+) was not an allowed global by default.", message):
        advice = (
            "Weights only load failed. This file can still be loaded, to do so you have two options, "
            "\033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
            f"\n\t(1) {_UNSAFE}\n\t(2) Alternatively, to load with `weights_only=True` please check "
            "the recommended steps in the following error message.\n\tWeightsUnpickler error: " + message
        )
    else:
        advice = f"Weights only load failed. {_UNSAFE}\n"
        if not re.search(r"whose module (\S+) is blocked", message):
            advice += (
                "Please file an issue with the following so that we can make "
                "`weights_only=True` compatible with your use case: WeightsUnpickler error: "
            )
    return advice + "\n\n" + message + _DOCS
