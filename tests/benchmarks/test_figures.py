"""The figures to reach, as tests: run when asked for (``-m bench``), on a quiet machine, where torch is installed."""

import pytest

from tests.benchmarks.figures import KINDS, eager_figure, group_figures, idle_figure, other_library
from tests.benchmarks.footprint import footprint_figures, import_figures
from tests.benchmarks.groups import GROUPS

pytestmark = pytest.mark.bench


def least(take, tries=3):
    """The first figure that reaches its limit, else the best of several."""
    found = []
    for _ in range(tries):
        figure = take()
        found.append(figure)
        if figure.reached:
            break
    best = min(found, key=lambda figure: figure.value)
    print(f"\n{best.name}: {best.value:.2f} (limit {best.limit})")
    return best


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_group_costs_no_more_than_its_share_of_torch(group, backend):
    if other_library() != "torch":
        pytest.skip("there is no torch to compare with")
    if backend not in group.limits:
        pytest.skip(f"no limit for {backend}")
    found = group_figures([backend], lambda name, case: name == group.name)
    if not found:
        pytest.skip(f"{backend} is not installed")
    print(f"\n{group.name}: {found[0].mean:.2f} (limit {found[0].limit}), worst {found[0].worst}")
    assert not found[0].failed
    assert found[0].reached


def test_what_a_library_costs_before_it_does_anything():
    if other_library() != "torch":
        pytest.skip("there is no torch to compare with")
    assert all(figure.reached for figure in footprint_figures())


def test_an_idle_plugin_costs_nothing():
    assert least(idle_figure).reached


def test_eager_calls_on_an_immutable_library():
    if eager_figure() is None:
        pytest.skip("there is no immutable library installed")
    assert least(eager_figure).reached


def test_imports():
    for i in range(2):
        assert least(lambda i=i: import_figures()[i]).reached
