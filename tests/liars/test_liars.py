"""Every kernel that is off by a thousandth and every derivative that is off by a hundredth is caught by the kit.

The lies are told one at a time, on numpy; only the checks that reach the liar are run, its own first.
"""

from collections import Counter

import pytest

from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.ops import FAMILIES
from dispatchtorch.plugin.selection import use_backend
from dispatchtorch.testing import liar
from tests.liars.impossible import DERIVATIVES, KERNELS

assert FAMILIES
COUNT = Counter()


@pytest.fixture(scope="module")
def reached():
    with use_backend("numpy"):
        yield liar.paths()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_lying_kernel_is_caught(name, reached):
    checks = reached.kernels.get(name.strip("_"))
    if name in KERNELS or not checks:
        assert name in KERNELS or is_view(name), f"no check reaches the kernel of {name}: give it samples"
        return
    for output in range(reached.outputs[name.strip("_")]):
        if (name, output) in KERNELS:
            continue
        with liar.lying_kernel(name, output):
            said = liar.tell(checks, name)
        COUNT["kernels"] += 1
        assert said, f"{name}, result {output}: the lie was believed by {len(checks)} checks"
        COUNT["caught"] += 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(name for name, op in TABLE.items() if op.rules))
def test_a_lying_derivative_is_caught(name, reached):
    for number, position in liar.lies_of(TABLE[name]):
        parameter = TABLE[name].params[TABLE[name].rules[number].positions[position]]
        if f"{name}.{parameter}" in DERIVATIVES:
            continue
        checks = reached.rules.get((name, number))
        assert checks, f"no check reaches the derivative of {name} for {parameter}"
        with liar.lying_derivative(TABLE[name], number, position):
            said = liar.tell(checks, name)
        COUNT["derivatives"] += 1
        assert said, f"derivative of {name} for {parameter}: the lie was believed by {len(checks)} checks"
        COUNT["caught"] += 1


def test_all_lies_were_caught(record_testsuite_property, capsys):
    told = COUNT["kernels"] + COUNT["derivatives"]
    record_testsuite_property("lies told", told)
    record_testsuite_property("lies caught", COUNT["caught"])
    with capsys.disabled():
        print(
            f"\nlies told: {told} ({COUNT['kernels']} kernels, {COUNT['derivatives']} derivatives), "
            f"caught: {COUNT['caught']}"
        )
    assert COUNT["caught"] == told


def is_view(name):
    """A view has no kernel: its offset and strides are compared with torch's, and its lens laws are checked."""
    return TABLE[name].body.__module__ in {
        "dispatchtorch.ops.view",
        "dispatchtorch.ops.pieces",
        "dispatchtorch.ops.reinterpret",
        "dispatchtorch.ops.singleton",
    }
