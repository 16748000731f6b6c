"""An exception on its way from a worker to the program: what it was, and the traceback as text."""

from __future__ import annotations

import traceback

__all__ = ["Failure"]


class _Lines(str):
    """A message that is shown with its line breaks where ``repr`` would escape them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """What one worker has to report instead of a batch."""

    def __init__(self, error: BaseException, worker: int) -> None:
        self.kind = type(error)
        self.text = "".join(traceback.format_exception(error))
        self.worker = worker

    def message(self) -> str:
        """Returns torch's sentence, with the traceback."""
        return f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\nOriginal {self.text}"

    def exception(self) -> Exception:
        """Returns an exception of the same class; a RuntimeError where the class takes more than a message."""
        message = self.message()
        if self.kind is KeyError:
            message = _Lines(message)  # a KeyError shows the repr of what it was given
        try:
            by_keyword = bool(getattr(self.kind, "message", None))
            made = self.kind(message=message) if by_keyword else self.kind(message)  # type: ignore[call-arg]  # as torch
            if isinstance(made, Exception):
                return made
        except Exception:  # whatever an unknown constructor says, the traceback must not be lost
            pass
        return RuntimeError(message)
