"""``torch.nn.parallel``: one process, one device. `DataParallel` passes through, as torch's does without a GPU."""

from __future__ import annotations

from dispatchtorch.nn.parallel.data_parallel import DataParallel, data_parallel
from dispatchtorch.nn.parallel.distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
