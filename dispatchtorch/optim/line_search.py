"""The line search of L-BFGS: a step that satisfies the strong Wolfe conditions (Nocedal and Wright, section 3.5).

It sees a function of one number, the step; values and slopes are Python numbers, gradients are carried along unread.
Must not know: optimizers, parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Point", "cubic_minimum", "strong_wolfe"]


class Point(NamedTuple):
    """What is known at one step along the line."""

    at: float
    value: float
    slope: float
    gradient: Any


Evaluate = Callable[[float], Point]


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Returns where the cubic through two points and slopes is least, within ``bounds`` (else between the points)."""
    low, high = bounds if bounds is not None else (min(a.at, b.at), max(a.at, b.at))
    first = a.slope + b.slope - 3 * (a.value - b.value) / (a.at - b.at)
    under = first**2 - a.slope * b.slope
    if not under >= 0:
        return (low + high) / 2.0
    root = math.sqrt(under)
    left, right = (a, b) if a.at <= b.at else (b, a)
    below = right.slope - left.slope + 2 * root
    if below == 0:
        return high
    found = right.at - (right.at - left.at) * ((right.slope + root - first) / below)
    return min(max(found, low), high)


class _Conditions(NamedTuple):
    """The two conditions of Wolfe, from the line's start."""

    value: float
    slope: float
    decrease: float = 1e-4
    curvature: float = 0.9

    def is_low(self, p: Point) -> bool:
        """Returns whether the value has come down enough."""
        return not p.value > self.value + self.decrease * p.at * self.slope

    def is_flat(self, p: Point) -> bool:
        """Returns whether the slope has become flat enough."""
        return abs(p.slope) <= -self.curvature * self.slope


def strong_wolfe(
    evaluate: Evaluate, start: Point, step: float, reach: float, change: float = 1e-9, most: int = 25
) -> tuple[Point, int]:
    """Returns the point that was chosen, and how often the function was evaluated.

    ``start``: the line's beginning, at 0; ``reach``: the largest entry of the direction; ``change``: the interval,
    times ``reach``, that is no longer divided; ``most``: evaluations allowed after the first.
    """
    wolfe = _Conditions(start.value, start.slope)
    before, point = start, evaluate(step)
    count, bracket, done = 0, [start, point], False
    while count < most:
        if not wolfe.is_low(point) or (count > 1 and point.value >= before.value):
            bracket = [before, point]
            break
        if wolfe.is_flat(point):
            return point, count + 1
        if point.slope >= 0:
            bracket = [before, point]
            break
        bounds = point.at + 0.01 * (point.at - before.at), point.at * 10
        before, point = point, evaluate(cubic_minimum(before, point, bounds))
        count += 1
    else:
        bracket = [start, point]
    lacking = False
    low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
    while not done and count < most and abs(bracket[1].at - bracket[0].at) * reach >= change:
        step, lacking = _inside(cubic_minimum(bracket[0], bracket[1]), bracket, lacking)
        point = evaluate(step)
        count += 1
        if not wolfe.is_low(point) or point.value >= bracket[low].value:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
        else:
            if wolfe.is_flat(point):
                done = True
            elif point.slope * (bracket[high].at - bracket[low].at) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    return bracket[low], count + 1


def _inside(step: float, bracket: list[Point], lacking: bool) -> tuple[float, bool]:
    """Returns a step that keeps off the bracket's ends, where two in a row came too near, and whether this one did."""
    least, greatest = sorted((bracket[0].at, bracket[1].at))
    margin = 0.1 * (greatest - least)
    if min(greatest - step, step - least) >= margin:
        return step, False
    if lacking or step >= greatest or step <= least:
        nearer_top = abs(step - greatest) < abs(step - least)
        return (greatest - margin if nearer_top else least + margin), False
    return step, True
