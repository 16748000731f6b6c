"""torch.backends: questions and switches of libraries that PyTorch is built with. For a backend of ours see `plugin`.

Programs set these before they begin. No library behind them is used here: a switch keeps its value and changes nothing.
"""

from dispatchtorch.backends import cuda as cuda
from dispatchtorch.backends import cudnn as cudnn
from dispatchtorch.backends import mps as mps

__all__ = ["cuda", "cudnn", "mps"]
