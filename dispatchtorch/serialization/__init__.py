"""Checkpoints that torch reads, and torch's read here: ``save``, ``load``, and what may be loaded safely."""

from dispatchtorch.serialization.allowed import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from dispatchtorch.serialization.checkpoint import get_unsafe_globals_in_checkpoint, load, save
from dispatchtorch.serialization.names import StorageType
from dispatchtorch.serialization.places import default_restore_location, location_tag, register_package
from dispatchtorch.serialization.settings import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
    skip_data,
)
from dispatchtorch.serialization.versions import (
    SourceChangeWarning,
    check_module_version_greater_or_equal,
    mkdtemp,
    normalize_storage_type,
    storage_to_tensor_type,
)

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "StorageType",
    "add_safe_globals",
    "check_module_version_greater_or_equal",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "mkdtemp",
    "normalize_storage_type",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
    "storage_to_tensor_type",
]
