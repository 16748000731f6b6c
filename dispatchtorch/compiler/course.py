"""What every call of a program goes through, written as source for this one program: does it hold, and the run.

A run does in Python only what cannot be done once, and for a small step that is a quarter of its time. So there are no
loops over a few things and no questions that the program has answered: what there is to look at, to gather and to put
back stands there, line by line. Where there are many things of a kind, a line is a loop. Must not know: how a call is
traced, what a library does with arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import getrefcount
from types import CellType
from typing import Any, Final

from dispatchtorch._base.host import np
from dispatchtorch.compiler.guards import content, differs
from dispatchtorch.compiler.program import Program
from dispatchtorch.compiler.recording import DRAWN, RATE
from dispatchtorch.compiler.slots import CONTAINERS, MISSING
from dispatchtorch.dispatch.source import written
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, extra_of, new, read

__all__ = ["write_course"]

_FEW: Final = 24  # rows that are written one by one
_NUMBERS: Final = ("at", "by")  # fields that are written as they are


def _references(holder: Any) -> int:
    a = holder.root
    return getrefcount(a)


_ALONE: Final = _references(Storage(object(), None))  # type: ignore[arg-type]  # what a storage's array has, seen from a function

_NAMES: Final[dict[str, Any]] = {
    "__name__": __name__, "Tensor": Tensor, "extra_of": extra_of, "float64": np.float64, "getrefcount": getrefcount,
    "new": new, "read": read, "MISSING": MISSING, "differs": differs, "content": content,
}  # fmt: skip


def write_course(program: Program) -> None:
    """Gives a program the two functions that each call goes through."""
    script = _Script()
    script.line("def holds():", 1)
    _holding(program, script)
    script.line("return True", 2)
    script.line("def run(program, leaves):", 1)
    _running(program, script)
    script.line("return holds, run", 1)
    make = written("\n".join([f"def make({', '.join(script.known)}):", *script.lines]), "course", _NAMES)
    program.holds, program.run = make(*script.known.values())


class _Script:
    """Lines, and the things that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def line(self, text: str, depth: int) -> None:
        """Adds a line."""
        self.lines.append("    " * depth + text)

    def name(self, thing: Any) -> str:
        """Returns how the lines call a thing."""
        if thing is None or thing is True or thing is False:
            return repr(thing)
        found = self._names.get(id(thing))
        if found is None:
            found = self._names[id(thing)] = f"x{len(self.known)}"
            self.known[found] = thing
        return found

    def each(self, fields: str, rows: Iterable[tuple[Any, ...]], body: Sequence[str], depth: int = 2) -> None:
        """Adds a few lines for each row, in which ``{field}`` is what the row has there; a loop for many rows."""
        rows, names = list(rows), fields.split()
        if len(rows) > _FEW:
            self.line(f"for {', '.join(names)}{',' * (len(names) == 1)} in {self.name(rows)}:", depth)
            for text in body:
                self.line(text.format(**{name: name for name in names}), depth + 1)
            return
        for row in rows:
            pairs = zip(names, row, strict=True)
            held = {name: repr(thing) if name in _NUMBERS else self.name(thing) for name, thing in pairs}
            for text in body:
                self.line(text.format(**held), depth)

    def items(self, text: str, things: Sequence[Any]) -> list[str]:
        """Returns the items of a list: an expression of ``{one}`` for each thing."""
        if len(things) > _FEW:
            return [f"*[{text.format(one='one')} for one in {self.name(things)}]"]
        return [text.format(one=self.name(one)) for one in things]


# --- does it hold? ---------------------------------------------------------------------------------------------------


def _holding(program: Program, script: _Script) -> None:
    no = ["    return False"]
    script.each(
        "t storage key",
        program.bound,
        ["if {t}._key is not {key} or {t}._cell is None or {t}._cell.storage is not {storage}:", *no],
    )
    watched = [(options, name, value) for options, names, value in program.watched for name, value in zip(names, value)]
    script.each(
        "options name value",
        watched,
        ["now = {options}[{name}]", "if now is not {value} and now != {value}:", *no],
    )
    script.each("get value", [(get, value) for get, value, _ in program.facts], ["if {get}() != {value}:", *no])
    _guarding(program, script, no)
    script.each("t", [(t,) for t in (*program.old, *program.read_grads)], [
        "if {t}._extra is None or {t}._extra.grad is None:", *no,
    ])  # fmt: skip
    script.each("t", [(t,) for t in program.gradless], [
        "if {t}._extra is not None and {t}._extra.grad is not None:", *no,
    ])  # fmt: skip
    script.each("slot", [(slot,) for slot in program.from_slots], ["if {slot}.get() is None:", *no])


def _guarding(program: Program, script: _Script, no: list[str]) -> None:
    cells, entries, looked_up = [], [], []
    for slot, thing, _ in program.guards.same:
        if type(slot.container) is CellType:
            cells.append((slot.container, thing))
        elif type(slot.container) is dict or isinstance(slot.container, CONTAINERS[1:]):
            entries.append((slot.container, slot.key, thing))
        else:
            looked_up.append((slot.get, thing))  # a subscript would fill a defaultdict, and objects have none
    if cells or entries:
        script.line("try:", 2)
        no_here = ["    return False"]
        script.each("cell thing", cells, ["if {cell}.cell_contents is not {thing}:", *no_here], 3)
        script.each("container key thing", entries, ["if {container}[{key}] is not {thing}:", *no_here], 3)
        script.line("except (IndexError, KeyError, ValueError):", 2)
        script.line("return False", 3)
    script.each("get thing", looked_up, ["if {get}() is not {thing}:", *no])
    equal = [(slot, value) for slot, value, _ in program.guards.equal]
    plain = [(slot.container, slot.key, value) for slot, value in equal if type(slot.container) is dict]
    same = ["if now is not {value} and differs(now, {value}):", *no]
    script.each("container key value", plain, ["now = {container}.get({key}, MISSING)", *same])
    script.each("slot value", [one for one in equal if type(one[0].container) is not dict], [
        "now = {slot}.get()", *same,
    ])  # fmt: skip
    lengths = [(container, length) for container, length, _ in program.guards.lengths]
    script.each("container by", lengths, ["if len({container}) != {by}:", *no])
    contents = [(container, held) for container, held, _ in program.guards.contents]
    script.each("container held", contents, ["if content({container}) != {held}:", *no])
    facts = [(get, value) for get, value, _ in program.guards.facts]
    script.each("get value", facts, ["if {get}() != {value}:", *no])


# --- the run ---------------------------------------------------------------------------------------------------------


def _running(program: Program, script: _Script) -> None:
    supplied = _happening(program, script)
    lent = script.items("{one}.root", program.lent)
    lent += script.items("read({one}._extra.grad)", program.read_grads)
    lent += script.items("read({one}.get())", program.from_slots)
    lent += [supplied[number] for number in program.supplied_at]
    lent += script.items("{one}", program.lasting)
    script.line(f"lent = [{', '.join(lent)}]", 2)
    given = [f"read(leaves[{i}])" for i in program.given]
    given += [f"read(leaves[{i}]._extra.grad)" for i in program.with_grads]
    script.line(f"given = [{', '.join(given)}]", 2)
    script.line("if program.runs:", 2)
    _giving_up(program, script)
    script.line("try:", 3)
    script.line("arrays = program.compiled(taken, lent, given)", 4)
    script.line("except Exception as error:", 3)
    script.line("raise program.blamed(error, taken)", 4)
    script.line("else:", 2)
    script.line("arrays = program.begun(lent, given)", 3)
    script.line("program.runs += 1", 2)
    _placing(program, script)


def _happening(program: Program, script: _Script) -> list[str]:
    """Writes what happens on the host, in order; returns what the numbers that are drawn and read are called."""
    supplied: list[str] = []
    for kind, act, place in program.events:
        number = f"given_{len(supplied)}"
        if kind == RATE:
            options, (name, index, rate) = act, place
            at = "" if index is None else f"[{index}]"
            script.line(f"now = {script.name(options)}[{script.name(name)}]{at}", 2)
            if program.on_mesh:
                script.line(f"{number} = float64(now)", 2)
            else:
                held = script.name(rate)
                script.line(f"{number} = {held}.array if now is {held}.value else {held}.moved(now)", 2)
        elif kind == DRAWN:
            numbers = f"{script.name(act)}()"
            if program.on_mesh:
                numbers = f"{script.name(place[0])}.from_host({numbers}, {script.name(place[1])})"
            script.line(f"{number} = {numbers}", 2)
        else:
            script.line(f"{script.name(act)}()", 2)
            continue
        supplied.append(number)
    return supplied


def _giving_up(program: Program, script: _Script) -> None:
    """Writes the list of arrays whose memory the library may have: copies of those that somebody else holds too."""
    copy = script.name(program.backend.duplicate)
    script.line("taken = []", 3)
    known = f"taken.append(a if getrefcount(a) <= held else {copy}(a))"
    alone = [(storage, *shown) for storage, shown in program.owned if len(shown) == 1]
    script.each("storage t", alone, [
        "a = {storage}.root",
        f"held = {_ALONE + 1} if {{t}}._a is a else {_ALONE}",
        known,
    ], 3)  # fmt: skip
    script.each("storage shown", [one for one in program.owned if len(one[1]) != 1], [
        "a = {storage}.root",
        f"held = {_ALONE} + sum([1 for t in {{shown}} if t._a is a])",
        known,
    ], 3)  # fmt: skip
    script.each("owner", [(owner,) for owner in program.old], [
        "grad = {owner}._extra.grad",
        "a = read(grad)",
        f"mine = grad._cell is None and getrefcount(grad) <= {_ALONE} and getrefcount(a) <= {_ALONE}",
        f"taken.append(a if mine else {copy}(a))",
    ], 3)  # fmt: skip


def _placing(program: Program, script: _Script) -> None:
    """Writes where the arrays go that have come out."""
    if program.on_mesh:
        script.line("arrays = program.settled(arrays, leaves)", 2)
    numbers = iter(range(program.outputs))
    stores = [(storage, next(numbers), shown) for storage, shown in program.placed]
    put = ["{storage}.root = value = arrays[{at}]", "{storage}.stamp = stamp = {storage}.stamp + 1"]
    script.each(
        "storage at t extra",
        [(storage, at, *shown[0]) for storage, at, shown in stores if len(shown) == 1],
        [*put, "{t}._a = value", "{extra}.stamp = stamp"],
    )
    several = ["for t, extra in {shown}:", "    t._a = value", "    extra.stamp = stamp"]
    script.each("storage at shown", [one for one in stores if len(one[2]) != 1], [*put, *several])
    script.each("owner key at", [(owner, key, next(numbers)) for owner, key in program.fresh], [
        "grad = new(Tensor)",
        "grad._a = arrays[{at}]",
        "grad._key = {key}",
        "grad._edge = grad._cell = grad._extra = None",
        "({owner}._extra or extra_of({owner})).grad = grad",
    ])  # fmt: skip
    script.each("owner at", [(owner, next(numbers)) for owner in program.grown], [
        "program.grow({owner}, arrays[{at}])",
    ])  # fmt: skip
    script.each("owner", [(owner,) for owner in program.dropped], [
        "if {owner}._extra is not None:",
        "    {owner}._extra.grad = None",
    ])  # fmt: skip
    for number in program.written:
        script.line(f"program.write(leaves[{number}], arrays[{next(numbers)}])", 2)
    for number, key, stays in program.argument_grads:
        acts = f"leaves[{number}], arrays[{next(numbers)}]"
        script.line(f"program.grow({acts})" if stays else f"program.give_grad({acts}, {script.name(key)})", 2)
    for number in program.drops:
        script.line(f"leaves[{number}]._extra.grad = None", 2)
    script.each("slot value", [(slot, value) for slot, _, value in program.puts], ["{slot}.put({value})"])
    script.each("slot by", [(slot, by) for slot, _, by in program.counts], ["{slot}.put({slot}.get() + {by})"])
    script.each("cell by", program.versions, ["{cell}.version += {by}"])
    if program.keeps:
        script.line("program.keep(arrays)", 2)
    node = "program.node(arrays, leaves, lent, given)" if program.goes_back else "None"
    if program.returns_one:
        script.line(f"return {script.name(program.makers[0])}(arrays, leaves, {node})", 2)
    else:
        script.line(f"return program.result(arrays, leaves, {node})", 2)
