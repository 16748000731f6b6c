"""Reverse-mode differentiation: the engine that walks recorded nodes, and torch's functions around it.

Layer 4: knows nodes, edges and tensors; knows no op but those that add up gradients, which it is given.
"""
