"""Asks torch's op table under autocast: ``python -m tests.oracle.autocastdb --backend numpy [-k PART] [--mixed]``.

For each op that has a sample of float32, the results' dtypes are compared; values are other tests' business. With
``--mixed`` the samples are in lower precision, so that casts to float32 are seen too.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import warnings
from typing import Any

import torch

import dispatchtorch as ours
from tests.oracle.bridge import equivalent, tensors, to_ours
from tests.oracle.rows import entries

__all__ = ["main"]


def _lowered(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().to(dtype) if value.dtype is torch.float32 else value
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_lowered(v, dtype) for v in value)
    return value


def _dtypes(lib: Any, function: Any, args: Any, kwargs: Any, dtype: str) -> list[str] | str:
    try:
        with lib.autocast("cpu", dtype=getattr(lib, dtype)):
            got = function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return [str(t.dtype) for t in tensors(got, lib.Tensor)]


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints what differs and the share that does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.autocastdb")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("-k", default="")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--mixed", action="store_true", help="the samples' tensors are in lower precision")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    passed = asked = 0
    with ours.use_backend(options.backend):
        for op in entries():
            if not re.search(options.k, op.name) or torch.float32 not in op.dtypes:
                continue
            try:
                samples = list(itertools.islice(op.sample_inputs("cpu", torch.float32), 2))
                function = equivalent(op.op)
            except Exception:  # other programs say what is missing
                continue
            for sample in samples:
                args, kwargs = (sample.input, *sample.args), sample.kwargs
                if options.mixed:
                    args = _lowered(args, getattr(torch, options.dtype))
                wanted = _dtypes(torch, op.op, args, kwargs, options.dtype)
                if isinstance(wanted, str):
                    continue  # what torch refuses, half precision mostly
                got = _dtypes(ours, function, to_ours(args), to_ours(kwargs), options.dtype)
                asked += 1
                passed += got == wanted
                if got != wanted:
                    print(f"{op.name}: {got} for {wanted}", flush=True)
    print(f"{passed} of {asked}, {100 * passed / max(1, asked):.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
