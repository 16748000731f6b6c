"""Styles of tensor parallelism: how a module's parameters are cut, and what it takes and gives.

A style says where values lie; the library moves them and adds them up where ops need it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from dispatchtorch.distributed.device_mesh import DeviceMesh
from dispatchtorch.distributed.tensor.making import distribute_tensor
from dispatchtorch.distributed.tensor.modules import distribute_module
from dispatchtorch.distributed.tensor.parallel.layouts import let_out, taken_in
from dispatchtorch.distributed.tensor.placement_types import Placement, Replicate, Shard
from dispatchtorch.nn.modules.linear import Linear
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.modules.sparse import Embedding
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = [
    "ColwiseParallel",
    "ParallelStyle",
    "PrepareModuleInput",
    "PrepareModuleInputOutput",
    "PrepareModuleOutput",
    "RowwiseParallel",
    "SequenceParallel",
]

_Cuts = Mapping[type[Module], Mapping[str, Placement]]
_Takes = Mapping[type[Module], Placement]
Layout = Placement | tuple[Placement | None, ...]


class ParallelStyle(ABC):
    """How one module is spread over a mesh of one dimension."""

    src_data_rank: int | None = 0

    @abstractmethod
    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        """Returns the module, spread."""

    def _spread(self, module: Module, mesh: DeviceMesh, cuts: Mapping[str, Placement]) -> None:
        """Puts parameters of a module on the mesh, each as its cut says."""
        for name, p in list(module._parameters.items()):
            if p is not None:
                on = distribute_tensor(
                    p.detach(), mesh, [cuts.get(name, Replicate())], src_data_rank=self.src_data_rank
                )
                module.register_parameter(name, Parameter(on, requires_grad=p.requires_grad))


class _Cut(ParallelStyle):
    """A style of layers with a weight: its cuts by the layer's class, what comes in, what goes out."""

    _cuts: ClassVar[_Cuts]
    _takes: ClassVar[_Takes]

    def __init__(self, input_layouts: Placement, output_layouts: Placement, use_local_output: bool) -> None:
        super().__init__()
        self.input_layouts = (input_layouts,)
        self.output_layouts = (output_layouts,)
        self.use_local_output = use_local_output

    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        kind = next((kind for kind in self._cuts if isinstance(module, kind)), None)
        if kind is None:
            raise NotImplementedError(f"{type(self).__name__} currently only support nn.Linear and nn.Embedding!")
        cuts, self.desired_input_layouts = self._cuts[kind], (self._takes[kind],)

        def prepared(part: Module, inputs: Any, mesh: DeviceMesh) -> Any:
            return taken_in(inputs[0], mesh, self.input_layouts, self.desired_input_layouts)

        def released(part: Module, outputs: Any, mesh: DeviceMesh) -> Any:
            return let_out(outputs, self.output_layouts, self.use_local_output)

        return distribute_module(
            module, device_mesh, lambda name, part, mesh: self._spread(part, mesh, cuts), prepared, released
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(input_layouts={self.input_layouts}, output_layouts={self.output_layouts}, "
            f"use_local_output={self.use_local_output})"
        )


class ColwiseParallel(_Cut):
    """A linear layer's outputs, or an embedding's features, divided among the devices; for Linear and Embedding.

    Takes what every device has, gives what is cut along the last dimension, unless layouts say otherwise.
    """

    _cuts: ClassVar[_Cuts] = {Linear: {"weight": Shard(0), "bias": Shard(0)}, Embedding: {"weight": Shard(1)}}
    _takes: ClassVar[_Takes] = {Linear: Replicate(), Embedding: Replicate()}

    def __init__(
        self,
        *,
        input_layouts: Placement | None = None,
        output_layouts: Placement | None = None,
        use_local_output: bool = True,
    ) -> None:
        super().__init__(input_layouts or Replicate(), output_layouts or Shard(-1), use_local_output)


class RowwiseParallel(_Cut):
    """A linear layer's inputs, or an embedding's rows, divided among the devices; for Linear and Embedding.

    Takes what is cut along the last dimension, gives the sum to every device, unless layouts say otherwise.
    """

    _cuts: ClassVar[_Cuts] = {Linear: {"weight": Shard(1)}, Embedding: {"weight": Shard(0)}}
    _takes: ClassVar[_Takes] = {Linear: Shard(-1), Embedding: Replicate()}

    def __init__(
        self,
        *,
        input_layouts: Placement | None = None,
        output_layouts: Placement | None = None,
        use_local_output: bool = True,
    ) -> None:
        super().__init__(input_layouts or Shard(-1), output_layouts or Replicate(), use_local_output)


class SequenceParallel(ParallelStyle):
    """A module with replicated parameters that works on a sequence cut along ``sequence_dim``: norms and dropout."""

    def __init__(self, *, sequence_dim: int = 1, use_local_output: bool = False) -> None:
        super().__init__()
        self.sequence_sharding: tuple[Placement, ...] = (Shard(sequence_dim),)
        self.use_local_output = use_local_output

    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        def prepared(part: Module, inputs: Any, mesh: DeviceMesh) -> Any:
            if not isinstance(inputs[0], Tensor):
                raise ValueError(f"expecting input of {part} to be a torch.Tensor or DTensor, but got {inputs[0]}")
            return taken_in(inputs[0], mesh, self.sequence_sharding, self.sequence_sharding)

        def released(part: Module, outputs: Any, mesh: DeviceMesh) -> Any:
            return let_out(outputs, self.sequence_sharding, self.use_local_output)

        return distribute_module(
            module, device_mesh, lambda name, part, mesh: self._spread(part, mesh, {}), prepared, released
        )

    def __repr__(self) -> str:
        dim = self.sequence_sharding[0]
        assert isinstance(dim, Shard)  # see __init__
        return f"{type(self).__name__}(sequence_dim={dim.dim}, use_local_output={self.use_local_output})"


def _listed(layouts: Layout | None) -> tuple[Placement | None, ...] | None:
    return (layouts,) if isinstance(layouts, Placement) else layouts


class PrepareModuleInput(ParallelStyle):
    """A module whose inputs are put on the mesh, or laid out anew, before it is called."""

    def __init__(
        self,
        *,
        input_layouts: Layout | None = None,
        desired_input_layouts: Layout | None = None,
        input_kwarg_layouts: dict[str, Placement] | None = None,
        desired_input_kwarg_layouts: dict[str, Placement] | None = None,
        use_local_output: bool = False,
    ) -> None:
        self.input_layouts = _listed(input_layouts)
        self.desired_input_layouts = _listed(desired_input_layouts)
        self.use_local_output = use_local_output
        if self.input_layouts is not None:
            if self.desired_input_layouts is None:
                raise AssertionError("desired module inputs should not be None!")
            if len(self.input_layouts) != len(self.desired_input_layouts):
                raise AssertionError("input_layouts and desired_input_layouts should have same length!")
        self.with_kwargs = input_kwarg_layouts is not None
        self.input_kwarg_layouts = input_kwarg_layouts or {}
        self.desired_input_kwarg_layouts = desired_input_kwarg_layouts or {}
        if self.with_kwargs and len(self.input_kwarg_layouts) != len(self.desired_input_kwarg_layouts):
            raise AssertionError("input_kwarg_layouts and desired_input_kwarg_layouts should have same length!")

    def _one(self, value: Any, mesh: DeviceMesh, layout: Placement | None, wanted: Placement | None) -> Any:
        if layout is None:
            return value
        if not isinstance(value, Tensor):
            raise AssertionError("expecting input to be a torch.Tensor!")
        target = (wanted or layout,)
        return let_out(taken_in(value, mesh, (layout,), target), target, self.use_local_output)

    def _all(self, inputs: Any, mesh: DeviceMesh) -> Any:
        if self.input_layouts is None:
            return inputs
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        if len(given) != len(self.input_layouts):
            raise ValueError("module inputs and input_layouts should have same length!")
        wanted = self.desired_input_layouts or ()
        return tuple([self._one(*facts) for facts in _beside(given, mesh, self.input_layouts, wanted)])

    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        def named(kwargs: dict[str, Any]) -> dict[str, Any]:
            layouts, wanted = self.input_kwarg_layouts, self.desired_input_kwarg_layouts
            return {k: self._one(v, device_mesh, layouts.get(k), wanted.get(k)) for k, v in kwargs.items()}

        if self.with_kwargs:
            module.register_forward_pre_hook(
                lambda part, inputs, kwargs: (self._all(inputs, device_mesh), named(kwargs)), with_kwargs=True
            )
        else:
            module.register_forward_pre_hook(lambda part, inputs: self._all(inputs, device_mesh))
        return module

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_facts(self, _INPUT)}, use_local_output={self.use_local_output})"


class PrepareModuleOutput(ParallelStyle):
    """A module whose outputs are laid out anew after it was called."""

    def __init__(
        self, *, output_layouts: Layout, desired_output_layouts: Layout, use_local_output: bool = True
    ) -> None:
        self.output_layouts = _listed(output_layouts) or ()
        self.desired_output_layouts = _listed(desired_output_layouts) or ()
        self.use_local_output = use_local_output
        if len(self.output_layouts) != len(self.desired_output_layouts):
            raise AssertionError("output_layouts and desired_output_layouts should have same length!")

    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        def released(part: Module, inputs: Any, outputs: Any) -> Any:
            given = outputs if isinstance(outputs, tuple) else (outputs,)
            if len(given) != len(self.output_layouts):
                raise ValueError("module outputs and output_layouts should have same length!")
            made = []
            for value, mesh, layout, wanted in _beside(
                given, device_mesh, self.output_layouts, self.desired_output_layouts
            ):
                if layout is None:
                    made.append(value)
                else:
                    target = (wanted or layout,)
                    on = taken_in(value, mesh, (layout,), target)
                    made.append(let_out(on, target, self.use_local_output))
            return made[0] if len(made) == 1 else tuple(made)

        module.register_forward_hook(released)
        return module

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_facts(self, _OUTPUT)}, use_local_output={self.use_local_output})"


class PrepareModuleInputOutput(ParallelStyle):
    """A module whose inputs and outputs are laid out anew."""

    def __init__(
        self,
        *,
        input_layouts: Layout | None = None,
        desired_input_layouts: Layout | None = None,
        input_kwarg_layouts: dict[str, Placement] | None = None,
        desired_input_kwarg_layouts: dict[str, Placement] | None = None,
        use_local_input: bool = False,
        output_layouts: Layout,
        desired_output_layouts: Layout,
        use_local_output: bool = True,
    ) -> None:
        self.prepare_module_input = PrepareModuleInput(
            input_layouts=input_layouts,
            desired_input_layouts=desired_input_layouts,
            input_kwarg_layouts=input_kwarg_layouts,
            desired_input_kwarg_layouts=desired_input_kwarg_layouts,
            use_local_output=use_local_input,
        )
        self.prepare_module_output = PrepareModuleOutput(
            output_layouts=output_layouts,
            desired_output_layouts=desired_output_layouts,
            use_local_output=use_local_output,
        )

    def _apply(self, module: Module, device_mesh: DeviceMesh) -> Module:
        self.prepare_module_input._apply(module, device_mesh)
        self.prepare_module_output._apply(module, device_mesh)
        return module

    def __repr__(self) -> str:
        before, after = self.prepare_module_input, self.prepare_module_output
        return (
            f"{type(self).__name__}({_facts(before, _INPUT)}, use_local_input={before.use_local_output}, "
            f"{_facts(after, _OUTPUT)}, use_local_output={after.use_local_output})"
        )


_INPUT = ("input_layouts", "desired_input_layouts", "input_kwarg_layouts", "desired_input_kwarg_layouts")
_OUTPUT = ("output_layouts", "desired_output_layouts")


def _facts(style: ParallelStyle, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}={getattr(style, name)}" for name in names)


def _beside(
    values: tuple[Any, ...],
    mesh: DeviceMesh,
    layouts: tuple[Placement | None, ...],
    wanted: tuple[Placement | None, ...],
) -> list[tuple[Any, DeviceMesh, Placement | None, Placement | None]]:
    return [(value, mesh, a, b) for value, a, b in zip(values, layouts, wanted, strict=True)]
