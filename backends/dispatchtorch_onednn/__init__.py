"""Convolutions of the NumPy backend by oneDNN, where `dispatchtorch_onednn.plugin` is registered."""
