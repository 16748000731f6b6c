"""A backend's author may call a kernel or a gap by the public name of an op, or by its name in the table."""

import pytest

import dispatchtorch as torch
from dispatchtorch.testing.loopback import LoopbackBackend


class Louder(LoopbackBackend):
    name = "louder"

    def __init__(self, spelling: str) -> None:
        super().__init__()
        self.kernels = {spelling: lambda a, b: a + b + 100}


@pytest.mark.parametrize("spelling", ["add", "_add"])
def test_a_kernel_is_found_by_both_names_of_its_op(spelling: str) -> None:
    with torch.use_backend(Louder(spelling)):
        assert (torch.ones(2) + torch.ones(2)).tolist() == [102.0, 102.0]
