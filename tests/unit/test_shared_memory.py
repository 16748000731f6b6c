"""Writing to a tensor that shares memory with what is read: refused where the order would matter, as in PyTorch."""

from __future__ import annotations

import pytest

import dispatchtorch as torch

SHARED = "some elements of the input tensor and the written-to tensor refer to a single memory location"
PLACES = torch.tensor([0, 1])


def _masked(m):
    return m[1:].masked_fill_(m[:-1], True)


REFUSED = {
    "add_": lambda x: x[1:].add_(x[:-1]),
    "add_ scaled": lambda x: x[1:].add_(x[:-1], alpha=2),
    "sub_ scaled": lambda x: x[1:].sub_(x[:-1], alpha=2),
    "mul_ by an element": lambda x: x.mul_(x[3]),
    "add_ transposed": lambda x: x.view(3, 3).add_(x.view(3, 3).t()),
    "add_ detached": lambda x: x.add_(x[0].detach()),
    "add_ data": lambda x: x.add_(x[:1].data),
    "copy_": lambda x: x[1:].copy_(x[:-1]),
    "slice": lambda x: x.__setitem__(slice(1, None), x[:-1]),
    "lerp_": lambda x: x[1:].lerp_(x[:-1], 0.5),
    "addcmul_": lambda x: x[1:].addcmul_(torch.ones(8), x[:-1]),
    "clamp_": lambda x: x[1:].clamp_(max=x[:-1]),
    "addr_": lambda x: x.view(3, 3).addr_(x[:3], x[:3]),
    "masked_fill_": lambda x: _masked(x > 9),
    "scatter_add_": lambda x: x.scatter_add_(0, PLACES, x),
    "index_add_": lambda x: x.index_add_(0, PLACES, x[:2]),
    "index_copy_": lambda x: x.index_copy_(0, PLACES, x[:2]),
    "put_": lambda x: x.put_(PLACES, x[3:5]),
    "index_put_": lambda x: x.index_put_((PLACES,), x[:2], accumulate=True),
    "places": lambda x: x.__setitem__(PLACES, x[:2]),
    "a mask and many": lambda x: x.__setitem__(x >= 0, x),
    "bernoulli_": lambda x: x.mul_(0)[1:].bernoulli_(x[:-1]),
    "out=": lambda x: torch.exp(x[:-1], out=x[1:]),
}
TAKEN = {
    "itself": (lambda x: x.add_(x), [2.0 * i for i in range(9)]),
    "seen anew": (lambda x: x.add_(x.view(9)), [2.0 * i for i in range(9)]),
    "apart": (lambda x: (x[:2].add_(x[2:4]), x)[1], [2.0, 4.0, *range(2, 9)]),
    "between": (lambda x: (x[:8:2].mul_(0).add_(x[1:8:2]), x)[1], [1.0, 1, 3, 3, 5, 5, 7, 7, 8]),
    "one of its own": (lambda x: (x[5:].fill_(x[5]), x)[1], [*range(6), 5.0, 5.0, 5.0]),
    "one at a mask": (lambda x: x.__setitem__(x > 3, x[1]) or x, [0.0, 1, 2, 3, 1, 1, 1, 1, 1]),
    "slice of one": (lambda x: x.__setitem__(slice(None), x[2]) or x, [2.0] * 9),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_write_is_refused_where_what_is_read_would_change(name):
    with pytest.raises(RuntimeError, match=SHARED):
        REFUSED[name](torch.arange(9.0))


@pytest.mark.parametrize("name", TAKEN)
def test_a_write_is_taken_where_the_order_does_not_matter(name):
    act, expected = TAKEN[name]
    assert act(torch.arange(9.0)).tolist() == expected


def test_nothing_is_written_by_a_refused_call():
    x = torch.arange(9.0)
    with pytest.raises(RuntimeError, match=SHARED):
        x[1:].add_(x[:-1])
    assert x.tolist() == list(range(9))
    assert x._version == 0
