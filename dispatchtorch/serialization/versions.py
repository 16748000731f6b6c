"""Small things that ``torch.serialization`` offers beside saving and loading."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchtorch.ops import legacy_types
from dispatchtorch.ops.storages import STORAGE_TYPES, TypedStorage, UntypedStorage

__all__ = [
    "SourceChangeWarning", "check_module_version_greater_or_equal", "check_pickle_module", "mkdtemp",
    "normalize_storage_type", "storage_to_tensor_type",
]  # fmt: skip


class SourceChangeWarning(Warning):
    """The source of a class that was saved with its source has changed."""


@contextmanager
def mkdtemp() -> Iterator[str]:
    """Yields the path of a folder that is gone after the block."""
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def check_module_version_greater_or_equal(
    module: Any, req_version_tuple: tuple[Any, ...], error_if_malformed: bool = True
) -> bool:
    """Returns whether a module's version is at least the one required, compared field by field.

    A version that cannot be compared is a RuntimeError, or a warning and True.

    >>> import types
    >>> check_module_version_greater_or_equal(types.SimpleNamespace(__name__="m", __version__="1.10.2"), (1, 9))
    True
    """
    try:
        fields = module.__version__.split(".")
        have = tuple([type(wanted)(fields[i]) for i, wanted in enumerate(req_version_tuple)])
        return have >= req_version_tuple
    except Exception as error:
        message = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and cannot be compared "
            f"with tuple {req_version_tuple}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True


def check_pickle_module(module: Any) -> None:
    """Raises ValueError for a dill that is too old."""
    if module is None or module.__name__ != "dill":
        return
    if not check_module_version_greater_or_equal(module, (0, 3, 1), False):
        raise ValueError(
            f"'torch' supports dill >= 0.3.1, but you have dill {module.__version__}. Please upgrade dill or switch "
            "to 'pickle'"
        )


def normalize_storage_type(storage_type: Any) -> Any:
    """Returns the storage class under this name in ``torch``; AttributeError where there is none."""
    kinds = {**STORAGE_TYPES, "UntypedStorage": UntypedStorage, "TypedStorage": TypedStorage}
    name = storage_type.__name__
    if name not in kinds:
        raise AttributeError(f"module 'torch' has no attribute '{name}'")
    return kinds[name]


def storage_to_tensor_type(storage: TypedStorage) -> Any:
    """Returns the tensor class of a storage's elements: ``torch.FloatTensor`` for float32."""
    return getattr(legacy_types, storage.pickle_storage_type().replace("Storage", "Tensor"))
