"""``torch.autograd.anomaly_mode``: the room under which PyTorch has the switches of anomaly mode."""

from dispatchtorch.autograd.api import detect_anomaly, set_detect_anomaly

__all__ = ["detect_anomaly", "set_detect_anomaly"]
