"""Mixed precision: ``torch.amp``. `autocast` chooses precisions, `GradScaler` keeps small gradients from vanishing."""

from dispatchtorch.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from dispatchtorch.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
