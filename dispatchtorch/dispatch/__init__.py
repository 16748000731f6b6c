"""What an op is and how a call finds its kernel.

Layer 3: knows tensors as data and backends by contract; records nodes for autograd, but never walks a graph.
"""
