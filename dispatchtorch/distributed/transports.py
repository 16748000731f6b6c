"""What torch calls backends: the names of its transports, and its errors. Which transport is used the library decides.

Must not know: groups.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Backend",
    "DistBackendError",
    "DistError",
    "DistNetworkError",
    "DistStoreError",
    "get_default_backend_for_device",
    "transport_of",
]


class DistError(RuntimeError):
    """Something between processes went wrong."""


class DistBackendError(DistError):
    """A transport failed."""


class DistNetworkError(DistError):
    """Processes did not reach each other."""


class DistStoreError(DistError):
    """A store failed."""


class Backend(str):
    """A transport's name in lower case, as programs compare it: ``Backend("GLOO") == "gloo"``.

    >>> Backend("GLOO")
    'gloo'
    """

    UNDEFINED: ClassVar[str] = "undefined"
    GLOO: ClassVar[str] = "gloo"
    NCCL: ClassVar[str] = "nccl"
    XCCL: ClassVar[str] = "xccl"
    UCC: ClassVar[str] = "ucc"
    MPI: ClassVar[str] = "mpi"
    default_device_backend_map: ClassVar[dict[str, str]] = {"cpu": "gloo", "cuda": "nccl", "xpu": "xccl", "mps": "gloo"}
    backend_list: ClassVar[list[str]] = [UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI]

    __slots__ = ()

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError("Backend constructor parameter must be string-ish")
        return str.__new__(cls, name.lower())


def get_default_backend_for_device(device: object) -> str:
    """Returns the transport that torch would choose for a device; ValueError for one without.

    >>> get_default_backend_for_device("cpu")
    'gloo'
    """
    kind = str(getattr(device, "type", device)).partition(":")[0]
    found = Backend.default_device_backend_map.get(kind)
    if found is None:
        raise ValueError(f"Default backend not registered for device : {device}")
    return found


def transport_of(backend: str | None) -> str:
    """Returns the transport that a program asks for, the first of several; ValueError for none of torch's."""
    if backend is None:
        return Backend.GLOO
    named = [part.rpartition(":")[2] for part in str(backend).lower().split(",")]
    if Backend.MPI in named:
        raise RuntimeError(
            "Distributed package doesn't have MPI built in. MPI is only included if you build PyTorch from source on a "
            "host that has MPI installed."
        )
    known = [name for name in Backend.backend_list if name not in (Backend.UNDEFINED, Backend.MPI)]
    if any(name not in known for name in named):
        raise ValueError(f"unknown backend {backend!r}; of torch's there are {', '.join(known)}")
    return named[0]
