"""The tree of modules: finding, naming and walking children, parameters and buffers; printing.

A mixin: it needs ``_modules``, ``_parameters`` and ``_buffers`` (name -> member or None), and gives everything else
that only reads the tree. Must not know hooks, states or devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from dispatchtorch.tensor.tensor import Parameter, Tensor

if TYPE_CHECKING:
    from dispatchtorch.nn.modules.module import Module

__all__ = ["Tree", "indent", "typename"]

M = TypeVar("M", bound="Tree")


def typename(value: Any) -> str:
    """Returns the full name of a value's type as torch's errors spell it.

    >>> typename(1)
    'int'
    """
    if isinstance(value, Tensor):
        device = "cuda." if value._key.device.type == "cuda" else ""
        return f"torch.{device}{value._key.dtype.legacy}Tensor" if type(value) is Tensor else _class_name(type(value))
    return _class_name(type(value))


def _class_name(kind: type) -> str:
    module = kind.__module__
    if module in ("builtins", ""):
        return kind.__name__
    first, dot, rest = module.partition(".")
    return f"{'torch' if first == 'dispatchtorch' else first}{dot}{rest}.{kind.__qualname__}"


def indent(text: str, spaces: int) -> str:
    """Returns the text with every line but the first moved right."""
    return text.replace("\n", "\n" + " " * spaces)


class Tree:
    """What can be said about a module from its tree alone."""

    _modules: dict[str, Any]
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    training: bool

    def get_submodule(self, target: str) -> Module:
        """Returns the module at a dotted path; "" is the module itself."""
        here: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(here, name):
                raise AttributeError(f"{here._get_name()} has no attribute `{name}`")
            here = getattr(here, name)
            if not isinstance(here, Tree):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return here  # type: ignore[no-any-return]  # modules are the only trees

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module at a dotted path; with ``strict`` something must be there already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Tree):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        above, _, name = target.rpartition(".")
        parent = self.get_submodule(above)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Tree):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Returns the parameter at a dotted path."""
        above, _, name = target.rpartition(".")
        owner = self.get_submodule(above)
        if not hasattr(owner, name):
            raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        found = getattr(owner, name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """Returns the buffer at a dotted path."""
        above, _, name = target.rpartition(".")
        owner = self.get_submodule(above)
        if not hasattr(owner, name):
            raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return getattr(owner, name)  # type: ignore[no-any-return]  # a buffer is a tensor

    # --- walks -------------------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yields every module of the tree with its dotted path, the module itself first."""
        seen: set[Any] = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self  # type: ignore[misc]  # modules are the only trees
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(seen, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yields every module of the tree, each once unless told otherwise."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yields the direct children with their names, each once."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """Yields the direct children, each once."""
        for _, child in self.named_children():
            yield child

    def _named_members(
        self, members_of: Callable[[Any], Any], prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners: Any = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        )
        for path, owner in owners:
            for name, member in members_of(owner):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yields the parameters with their dotted paths, each once unless told otherwise."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yields the parameters, each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yields the buffers with their dotted paths, each once unless told otherwise."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yields the buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # --- on the whole tree -------------------------------------------------------------------------------------------

    def apply(self: M, fn: Callable[[Any], Any]) -> M:
        """Returns the module after ``fn`` ran on every child, deepest first, and on itself."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self: M, mode: bool = True) -> M:
        """Returns the module in training mode, or in evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: M) -> M:
        """Returns the module in evaluation mode."""
        return self.train(False)

    # --- printing ----------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Returns what ``repr`` shows between the parentheses; modules say their own."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indent(repr(child), 2)}" for name, child in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        if not lines and not children:
            return f"{self._get_name()}()"
        body = "\n  ".join(lines + children)
        return f"{self._get_name()}(\n  {body}\n)"

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(n for n in names if not n[0].isdigit())
