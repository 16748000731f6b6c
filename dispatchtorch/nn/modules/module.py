"""Module: what every layer and model is. Attribute rules, registration, moving and casting, and the call itself.

Assumes the op table is installed. Must not know any particular layer.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, bfloat16, float16, float32, float64
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.nn.modules.hooks import (
    GLOBAL,
    Hook,
    RemovableHandle,
    call_with_hooks,
    choose_kind,
    keep,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from dispatchtorch.nn.modules.state import EXTRA_STATE as _EXTRA_STATE_KEY_SUFFIX  # noqa: F401 - by this name in torch
from dispatchtorch.nn.modules.state import State, _IncompatibleKeys  # noqa: F401 - torch has the name here
from dispatchtorch.nn.modules.tree import typename
from dispatchtorch.nn.parameter import is_buffer
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_set: Callable[[object, str, Any], None] = object.__setattr__
_everywhere_forward, _everywhere_pre = GLOBAL.forward, GLOBAL.forward_pre
_everywhere_backward, _everywhere_backward_pre = GLOBAL.backward, GLOBAL.backward_pre


class Module(State):
    """The base of all layers and models: subclasses make children in ``__init__`` and say ``forward``."""

    dump_patches: bool = False
    call_super_init: bool = False
    _is_full_backward_hook: bool | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
            )
        own = self.__dict__
        own["training"] = True
        own["_parameters"], own["_buffers"], own["_modules"] = {}, {}, {}
        own["_non_persistent_buffers_set"] = set()
        own["_is_full_backward_hook"] = None
        for table in _HOOK_TABLES:
            own[table] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # --- the call ----------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the module's output; every subclass says its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self.__dict__
        try:
            hooked = (
                own["_backward_hooks"]
                or own["_backward_pre_hooks"]
                or own["_forward_hooks"]
                or own["_forward_pre_hooks"]
                or _everywhere_forward
                or _everywhere_pre
                or _everywhere_backward
                or _everywhere_backward_pre
            )
        except KeyError as error:  # a subclass that has not called ours
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {error}") from None
        if hooked:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    _call_impl = _wrapped_call_impl = __call__

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Returns the handle of ``hook(module, args[, kwargs], output)``, run after ``forward``; may replace that."""
        marks = [self._forward_hooks_with_kwargs] * with_kwargs + [self._forward_hooks_always_called] * always_call
        return keep(self._forward_hooks, hook, *marks, first=prepend)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Returns the handle of ``hook(module, args[, kwargs])``, run before ``forward``; may replace the arguments."""
        marks = [self._forward_pre_hooks_with_kwargs] * with_kwargs
        return keep(self._forward_pre_hooks, hook, *marks, first=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(module, grad_input, grad_output)``; may replace ``grad_input``."""
        choose_kind(self, "_is_full_backward_hook", True, "on a single Module")
        return keep(self._backward_hooks, hook, first=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Returns the handle of a hook of the older kind, which sees the last node of `forward` only; deprecated."""
        choose_kind(self, "_is_full_backward_hook", False, "on a single Module")
        return keep(self._backward_hooks, hook)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Returns the handle of ``hook(module, grad_output)``; may replace ``grad_output``."""
        return keep(self._backward_pre_hooks, hook, first=prepend)

    # --- registration ------------------------------------------------------------------------------------------------

    def _check_name(self, kind: str, name: Any, table: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        dot = f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else "")
        problems = [
            (dot, "." in name),
            (f'{kind} name can\'t be empty string ""', name == ""),
            (f"attribute '{name}' already exists", hasattr(self, name) and name not in table),
        ]
        if kind == "module":
            problems = [problems[2], problems[0], problems[1]]
        for sentence, bad in problems:
            if bad:
                raise KeyError(sentence)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the state but is not trained; not persistent: not saved either."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor) and not hasattr(tensor, "__torch_function__"):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        for hook in GLOBAL.buffer_registration.values():
            got = hook(self, name, tensor)
            tensor = tensor if got is None else got
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name, or None to say that there is none."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or "
                    f"None required)"
                )
            if param._edge is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To "
                    f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
                )
        for hook in GLOBAL.parameter_registration.values():
            got = hook(self, name, param)
            param = param if got is None else got
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = self._hooked_child(name, module)

    register_module = add_module

    def _hooked_child(self, name: str, module: Any) -> Any:
        for hook in GLOBAL.module_registration.values():
            got = hook(self, name, module)
            module = module if got is None else got
        return module

    # --- attributes --------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            members = own.get(table)
            if members is not None and name in members:
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _forget_elsewhere(self, name: str, *tables: str) -> None:
        own = self.__dict__
        own.pop(name, None)
        for table in tables:
            own.get(table, {}).pop(name, None)
        own.get("_non_persistent_buffers_set", set()).discard(name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters = own.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget_elsewhere(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        else:
            self._set_other(name, value)

    def _set_other(self, name: str, value: Any) -> None:
        own = self.__dict__
        modules, buffers = own.get("_modules"), own.get("_buffers")
        if isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget_elsewhere(name, "_parameters", "_buffers")
            modules[name] = self._hooked_child(name, value)
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            modules[name] = self._hooked_child(name, value)
        elif is_buffer(value) or (buffers is not None and name in buffers):
            self._set_buffer(name, value, buffers)
        else:
            _set(self, name, value)

    def _set_buffer(self, name: str, value: Any, buffers: dict[str, Any] | None) -> None:
        if value is not None and not isinstance(value, Tensor) and not hasattr(value, "__torch_function__"):
            raise TypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
            )
        persistent = value.persistent if is_buffer(value) else name not in self._non_persistent_buffers_set
        if is_buffer(value):
            self._forget_elsewhere(name, "_parameters", "_modules")
        self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        own = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            members = own.get(table, {})
            if name in members:
                del members[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if "_compiled_call_impl" in state:  # as in torch, copies are not compiled
            del state["_compiled_call_impl"], state["forward"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = self.__dict__
        own.update(state)
        own.setdefault("_non_persistent_buffers_set", set())
        own.setdefault("_is_full_backward_hook", None)
        for table in _HOOK_TABLES:
            own.setdefault(table, OrderedDict())

    # --- moving and casting ------------------------------------------------------------------------------------------

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if recurse:
            for child in self.children():
                child._apply(fn)
        before, modes.grad = modes.grad, False
        try:
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                parameter.data = fn(parameter)
                gradient = parameter.grad
                if gradient is not None:
                    gradient.data = fn(gradient)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        finally:
            modes.grad = before
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Returns the module with its parameters and buffers elsewhere, or its floating ones in another dtype."""
        device, dtype, rest = _parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        if dtype is not None and dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may change, and some "
                "modules might "
                "not work as expected when using complex tensors as parameters or buffers. Please file an issue at "
                "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a complex module does "
                "not work as "
                "expected.",
                stacklevel=2,
            )

        def move(t: Tensor) -> Tensor:
            floating = t.dtype.is_floating_point or t.dtype.is_complex
            wanted = {"device": device, "dtype": dtype if floating else None, **rest}
            wanted = {k: v for k, v in wanted.items() if v is not None}
            return t.to(**wanted) if wanted else t

        return self._apply(move)

    def _to_dtype(self, dtype: DType) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.dtype.is_floating_point else t)

    def float(self) -> Self:
        """Returns the module with floating parameters and buffers in float32."""
        return self._to_dtype(float32)

    def double(self) -> Self:
        """Returns the module with floating parameters and buffers in float64."""
        return self._to_dtype(float64)

    def half(self) -> Self:
        """Returns the module with floating parameters and buffers in float16."""
        return self._to_dtype(float16)

    def bfloat16(self) -> Self:
        """Returns the module with floating parameters and buffers in bfloat16."""
        return self._to_dtype(bfloat16)

    def type(self, dst_type: DType | str) -> Self:
        """Returns the module with all parameters and buffers in a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Self:
        """Returns the module on the CPU."""
        return self._apply(lambda t: t.to(Device("cpu")))

    def cuda(self, device: Device | int | None = None) -> Self:
        """Returns the module on a CUDA device."""
        return self._on("cuda", device)

    def ipu(self, device: Device | int | None = None) -> Self:
        """Returns the module on an IPU, where a backend has one."""
        return self._on("ipu", device)

    def xpu(self, device: Device | int | None = None) -> Self:
        """Returns the module on an XPU, where a backend has one."""
        return self._on("xpu", device)

    def mtia(self, device: Device | int | None = None) -> Self:
        """Returns the module on an MTIA device, where a backend has one."""
        return self._on("mtia", device)

    def _on(self, kind: str, device: Device | int | None) -> Self:
        target = Device(kind) if device is None else Device(kind, device) if isinstance(device, int) else device
        return self._apply(lambda t: t.to(target))

    def to_empty(self, *, device: Device | str | int | None, recurse: bool = True) -> Self:
        """Returns the module on a device with its values not copied."""
        return self._apply(lambda t: t if device is None else t.to(Device(device)), recurse=recurse)

    def share_memory(self) -> Self:
        """Returns the module, its tensors in memory that other processes see. RuntimeError where a shape is missing."""
        return self._apply(lambda t: t.share_memory_())

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Returns the module after switching whether its parameters are trained."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the parameters' gradients, or sets them to zero."""
        now = tracing.now if set_to_none else None
        for parameter in self.parameters():
            if now is not None:
                now.cleared(parameter)
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                parameter.grad.detach_().zero_()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Has calls of this module run as programs from now on; the options are those of ``torch.compile``."""
        if tracing.compiler is None:
            raise RuntimeError("Module.compile() needs the compiler of the package, which is not there")
        own = self.__dict__
        # An entry of the instance is found before the class's method, so that a call costs nothing where none is.
        own["_compiled_call_impl"] = own["forward"] = tracing.compiler()(self.forward, *args, **kwargs)


_HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Device | None, DType | None, dict[str, Any]]:
    """Returns device, dtype and the rest of what ``to`` was given, in any of its forms."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    tensor = kwargs.pop("tensor", None)
    for name in ("non_blocking", "copy", "memory_format"):
        kwargs.pop(name, None)
    for value in args:
        if isinstance(value, DType):
            dtype = value
        elif isinstance(value, Tensor):
            tensor = value
        elif isinstance(value, (str, Device)) or (isinstance(value, int) and not isinstance(value, bool)):
            device = value
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    return None if device is None else Device(device), dtype, kwargs
