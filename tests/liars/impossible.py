"""Lies that cannot be told or cannot be seen, each with the reason. Names of ops; ``op.parameter`` for derivatives."""

KERNELS: dict[str | tuple[str, int], str] = {
    "_moved": "carries values from one backend to another; one backend alone never runs it",
}

DERIVATIVES: dict[str, str] = {
    "_moved.input": "carries gradients from one backend to another; one backend alone never runs it",
    "_alias.input": "the identity on a shared storage, of which no public function keeps the history",
    "_floor_divide.input": "raises, as in torch: the derivative is not implemented",
    "_floor_divide.other": "raises, as in torch: the derivative is not implemented",
    "_geqrf.input": "raises, as in torch: the derivative is not implemented",
    "_qr_r.input": "raises, as in torch: the derivative depends on Q, which is not there",
    "_special_zeta.input": "raises, as in torch: the derivative is not implemented",
    "heaviside.input": "raises, as in torch: the derivative is not implemented",
    "heaviside.values": "raises, as in torch: the derivative is not implemented",
    "_standard_gamma_grad.output": "raises, as in torch: the derivative is not implemented",
    "_standard_gamma_grad.input": "raises, as in torch: the derivative is not implemented",
    "igamma.input": "raises, as in torch: the derivative is not implemented",
    "igammac.input": "raises, as in torch: the derivative is not implemented",
}
