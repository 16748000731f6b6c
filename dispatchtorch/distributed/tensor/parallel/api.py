"""``parallelize_module``: a plan of styles for the parts of a module, and losses over classes that are divided."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch

from dispatchtorch.distributed.device_mesh import DeviceMesh, current_mesh
from dispatchtorch.distributed.tensor.experimental import implicit_replication
from dispatchtorch.distributed.tensor.parallel.style import ParallelStyle
from dispatchtorch.nn.modules.module import Module

__all__ = ["loss_parallel", "parallelize_module"]


def parallelize_module(
    module: Module,
    device_mesh: DeviceMesh | None = None,
    parallelize_plan: ParallelStyle | Mapping[str, ParallelStyle] | None = None,
    *,
    src_data_rank: int | None = 0,
) -> Module:
    """Returns the module, spread over a mesh by a style, or by styles for its parts by path (with ``*`` and ``?``).

    >>> from dispatchtorch.distributed.tensor import init_device_mesh
    >>> from dispatchtorch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
    >>> with torch.use_backend("jax"):
    ...     model = torch.nn.Sequential(torch.nn.Linear(2, 4))
    ...     parallelize_module(model, init_device_mesh("cpu", (1,)), {"0": ColwiseParallel()})[0].weight.placements
    (Shard(dim=0),)
    """
    mesh = device_mesh or current_mesh()
    if parallelize_plan is None:
        warnings.warn(
            "No parallelize_plan is provided and auto-parallel is not supported at the moment, so this "
            "parallelize_module call will do nothing.",
            stacklevel=2,
        )
        return module
    if isinstance(parallelize_plan, ParallelStyle):
        parallelize_plan.src_data_rank = src_data_rank
        return parallelize_plan._apply(module, mesh)
    if not isinstance(parallelize_plan, Mapping):
        raise TypeError(
            "Expect Union[ParallelStyle, Dict[str, ParallelStyle]] for parallelize_plan, "
            f"{type(parallelize_plan)} found!"
        )
    for path, style in parallelize_plan.items():
        first, _, rest = path.partition(".")
        if not path:
            parallelize_module(module, mesh, style, src_data_rank=src_data_rank)
            continue
        parts = [part for name, part in module.named_children() if fnmatch(name, first)]
        if not parts:
            warnings.warn(
                f"Parallelize plan key '{path}' could not be resolved: no submodule matching token '{first}' in module "
                f"{module}, skipping this plan entry.",
                stacklevel=2,
            )
        for part in parts:
            parallelize_module(part, mesh, {rest: style} if rest else style, src_data_rank=src_data_rank)
    return module


@contextmanager
def loss_parallel() -> Iterator[None]:
    """Lets `cross_entropy` take scores whose classes are divided among devices beside ordinary targets."""
    with implicit_replication():
        yield
