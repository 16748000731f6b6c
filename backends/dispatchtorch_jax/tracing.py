"""A traced function as a jaxpr: the compiled program of it, and the two halves of one that goes forward and back.

What a function read beside its arguments are the jaxpr's constants; a program gets them anew at each call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.core import Literal

from dispatchtorch.plugin import Halves, Traced
from dispatchtorch_jax.meshes import gathered_on_mesh

__all__ = ["trace"]


def trace(function: Callable[..., list[Any]], arrays: Sequence[Any], meshes: Collection[Any]) -> Traced:
    """Returns a function of arrays as the jaxpr of one call; ``meshes`` are those that arrays may lie on."""
    closed = jax.make_jaxpr(function)(*arrays)
    return _traced(closed.jaxpr, tuple(closed.consts), meshes)


def _traced(jaxpr: Any, captured: tuple[Any, ...], meshes: Collection[Any]) -> Traced:
    # The programs know the jaxpr and not its constants: nobody but their owners keeps those alive.
    making = partial(_compiled, jaxpr, meshes)
    return Traced(captured, making, partial(_halves, jaxpr, captured, meshes), len(jaxpr.eqns), _as_made(jaxpr))


def _as_made(jaxpr: Any) -> tuple[int, ...]:
    """Returns the numbers of the results in the order in which they are made, which no owner's order changes."""
    made = [*jaxpr.constvars, *jaxpr.invars, *[v for eqn in jaxpr.eqns for v in eqn.outvars]]
    births = {v: n for n, v in enumerate(made)}
    keys = [-1 if isinstance(v, Literal) else births[v] for v in jaxpr.outvars]
    return tuple(sorted(range(len(keys)), key=keys.__getitem__))


def _compiled(
    jaxpr: Any, meshes: Collection[Any], taken: Sequence[int], kept: Sequence[int]
) -> Callable[..., list[Any]]:
    """Returns the program; jax.jit's own object, since a call by way of Python would cost as much as a small step."""
    places = [*taken, *kept]
    if meshes and jax.process_count() > 1:
        return _the_same_everywhere(jaxpr, taken, places)

    def run(given_up: list[Any], lent: list[Any], given: list[Any]) -> list[Any]:
        constants = dict(zip(places, [*given_up, *lent], strict=True))
        found: list[Any] = jax.core.eval_jaxpr(jaxpr, [constants[i] for i in range(len(constants))], *given)
        return found

    compiled: Callable[..., list[Any]] = jax.jit(run, donate_argnums=0)
    return partial(_run_on_mesh, compiled) if meshes else compiled


def _the_same_everywhere(jaxpr: Any, taken: Sequence[int], places: Sequence[int]) -> Callable[..., list[Any]]:
    """Returns the program for several processes: arguments and results in the jaxpr's order, so that all have the same.

    Their owners come in an order that may differ between processes, and processes that exchange values have to run one
    program.
    """
    order, count = _as_made(jaxpr), len(jaxpr.constvars)

    def run(*arrays: Any) -> list[Any]:
        found = jax.core.eval_jaxpr(jaxpr, arrays[:count], *arrays[count:])
        return [found[i] for i in order]

    compiled: Callable[..., list[Any]] = jax.jit(run, donate_argnums=tuple(sorted(taken)))

    def ordered(given_up: list[Any], lent: list[Any], given: list[Any]) -> list[Any]:
        constants = dict(zip(places, [*given_up, *lent], strict=True))
        arrays = gathered_on_mesh([*[constants[i] for i in range(count)], *given])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some donated buffers were not usable", UserWarning)
            made = dict(zip(order, compiled(*arrays), strict=True))
        return [made[i] for i in range(len(order))]

    return ordered


def _run_on_mesh(
    compiled: Callable[..., list[Any]], given_up: list[Any], lent: list[Any], given: list[Any]
) -> list[Any]:
    """Returns what a program gives whose arrays may lie on a mesh: then all of them are put there."""
    together = gathered_on_mesh([*given_up, *lent, *given])
    first, second = len(given_up), len(given_up) + len(lent)
    with warnings.catch_warnings():  # a result that XLA lays out otherwise cannot have the memory that was given up
        warnings.filterwarnings("ignore", "Some donated buffers were not usable", UserWarning)
        return compiled(together[:first], together[first:second], together[second:])


def _halves(jaxpr: Any, captured: tuple[Any, ...], meshes: Collection[Any], count: int, seeds: Sequence[int]) -> Halves:
    """Returns the program cut in two: what the first ``count`` results need, and the rest, which needs ``seeds``."""
    results, later = jaxpr.outvars[:count], jaxpr.outvars[count:]
    first = _needed(jaxpr.eqns, results)
    early = {id(eqn) for eqn in first}
    second = [eqn for eqn in _needed(jaxpr.eqns, later) if id(eqn) not in early]
    made = {v for eqn in second for v in eqn.outvars}
    crossing = dict.fromkeys(v for v in (*_inputs(second), *_variables(later)) if v not in made)
    constants, arguments = _numbers(jaxpr.constvars), _numbers(jaxpr.invars)
    seeded = set(seeds)
    of_captured = [v for v in crossing if v in constants and constants[v] not in seeded]
    of_given = [v for v in crossing if v in arguments]
    computed = [v for v in crossing if v not in constants and v not in arguments]
    used = {*_inputs(first), *_variables(results), *of_captured}  # the program's owner has to find them all
    read = [i for v, i in constants.items() if v in used]
    names = jaxpr.debug_info.with_unknown_names()
    head = jaxpr.replace(
        constvars=[jaxpr.constvars[i] for i in read], outvars=[*results, *computed], eqns=first, debug_info=names
    )
    tail = jaxpr.replace(
        constvars=[],
        invars=[*of_captured, *of_given, *computed, *[jaxpr.constvars[i] for i in seeds]],
        outvars=later,
        eqns=second,
        debug_info=names,
    )
    return Halves(
        _traced(head, tuple([captured[i] for i in read]), meshes),
        _traced(tail, (), meshes),
        tuple([captured[constants[v]] for v in of_captured]),
        tuple([arguments[v] for v in of_given]),
        len(computed),
    )


def _needed(eqns: Sequence[Any], wanted: Iterable[Any]) -> list[Any]:
    """Returns the equations that some of the wanted variables need, in their order."""
    needed = set(_variables(wanted))
    found = []
    for eqn in reversed(eqns):
        if any(v in needed for v in eqn.outvars):
            found.append(eqn)
            needed.update(_variables(eqn.invars))
    return found[::-1]


def _inputs(eqns: Iterable[Any]) -> list[Any]:
    return [v for eqn in eqns for v in _variables(eqn.invars)]


def _variables(atoms: Iterable[Any]) -> list[Any]:
    return [v for v in atoms if not isinstance(v, Literal)]


def _numbers(variables: Sequence[Any]) -> dict[Any, int]:
    return {v: i for i, v in enumerate(variables)}
