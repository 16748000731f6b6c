"""An optimizer that moves each parameter by its own gradient: the loop, and the options that all such have.

An optimizer of ours says only how one parameter moves (`GradientStep._update`). ``foreach`` and ``fused`` choose
between PyTorch's own ways to do the same; there is one way here, so they are accepted, checked and kept. With
``differentiable=True`` a step is recorded, and an update may write into no tensor whose value a derivative needs.
Must not know: any single method of optimization.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base.dtypes import DType, float32, float64, get_default_dtype
from dispatchtorch._base.host import np
from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import Tracing, lasting, tracing
from dispatchtorch.optim.conditions import number
from dispatchtorch.optim.optimizer import Closure, Optimizer, ParamsT
from dispatchtorch.optim.together import is_plain, kernel_for_all
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["GradientStep", "advance", "rate_of", "real_view", "scalar_dtype", "zeros_for"]

# Options that came to be after checkpoints had been written without them.
_LATER: Final = {
    "amsgrad": False, "capturable": False, "decoupled_weight_decay": False, "differentiable": False, "foreach": None,
    "fused": None, "maximize": False, "nesterov": False, "centered": False, "momentum": 0,
}  # fmt: skip
_MAY_MOVE: Final = ("weight_decay", "momentum", "betas", "rho", "alpha")  # schedules change some of them at each step
_CAPTURABLE: Final = ["cuda", "xpu", "hpu", "privateuseone"]
_FUSED: Final = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


def scalar_dtype() -> Any:
    """Returns the dtype of a step's number: float64 where that is the default, else float32."""
    return float64 if get_default_dtype() is float64 else float32


def real_view(t: Tensor) -> Tensor:
    """Returns the tensor, or the real view of a complex one."""
    return FUNCTIONS["view_as_real"](t) if t._key.dtype.is_complex else t


def rate_of(group: dict[str, Any]) -> Any:
    """Returns a group's learning rate as a number; a tensor where the step is traced, or recorded for its gradient."""
    lr = group["lr"]
    if isinstance(lr, Tensor):
        return lr.reshape(()) if group.get("differentiable") and lr._key.requires else number(lr)
    return lr


def zeros_for(grad: Tensor) -> Tensor:
    """Returns zeros like a gradient, to be kept; while a step is traced they know no more of it than its shape."""
    if tracing.now is None:
        return FUNCTIONS["zeros_like"](grad)  # type: ignore[no-any-return]  # the table's functions are untyped
    return _from_host(tuple(grad.shape), grad._key.dtype, 0, grad)


def _full_for(p: Tensor, value: complex) -> Tensor:
    """Returns a tensor like a parameter, filled with a number and to be kept."""
    if tracing.now is None:
        return FUNCTIONS["full_like"](alias_of(p), value)  # type: ignore[no-any-return]  # as above
    return _from_host(tuple(p._a.shape), p._key.dtype, value, p)


def _from_host(shape: tuple[int, ...], dtype: DType, value: complex, like: Tensor) -> Tensor:
    """Returns a filled tensor that comes from the host, so that nothing has to be compiled for it."""
    key = like._key
    host = np.full(shape, value, key.backend.dtype(dtype.name))
    return lasting(lambda: interop.from_host(host, key.device, key.backend))


def advance(x: Tensor, delta: Tensor, by: Any) -> None:
    """Adds ``by * delta`` to ``x``, where ``by`` is a number or a tensor of one element."""
    if isinstance(by, Tensor):
        x.add_(delta.mul(by))
    else:
        x.add_(delta, alpha=by)


class GradientStep(Optimizer):
    """An optimizer that moves each parameter by its own gradient; a subclass gives `_update`.

    Decay of weights into the gradient, ``maximize`` and the checks of ``foreach``, ``fused`` and ``capturable`` are
    done here.
    """

    # What torch wants on an accelerator with ``capturable``, and whether one of XLA will do; first without ``foreach``.
    _capturables: tuple[str, str] = ("params and state_steps", "params and state_steps")
    _capturable_on_xla: tuple[bool, bool] = (True, False)
    _rates_read_late = ("lr",)
    _lifts_rates: bool = True  # whether the rate is read after the first step

    _kernel: str = ""  # the name of a kernel that moves many parameters in one call, for a class with `_move_all`

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        if defaults.get("fused"):
            if defaults.get("differentiable"):
                raise RuntimeError("`fused` does not support `differentiable`")
            self._step_supports_amp_scaling = True
            if defaults.get("foreach"):
                raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in _LATER.items():
                if name in self.defaults:
                    group.setdefault(name, value)
            for p in group["params"]:
                if p in self.state:
                    self._renew(p, self.state[p])

    def _renew(self, p: Tensor, state: dict[str, Any]) -> None:
        """Makes tensors of the numbers that old checkpoints have in a parameter's state."""
        for name in ("step", "eta", "mu", "mu_product"):
            if isinstance(state.get(name), (int, float)):
                state[name] = self._scalar(p, state[name])

    def step(self, closure: Closure | None = None) -> Any:
        """Moves the parameters once and returns the closure's loss; the closure is run with recording on."""
        loss = None
        before = modes.grad
        if closure is not None:
            with enable_grad():
                loss = closure()
        modes.grad = modes.recording if self.defaults.get("differentiable") else False
        try:
            if "found_inf" not in self.__dict__ or self._is_finite():
                for group in self.param_groups:
                    self._step_group(group)
        finally:
            modes.grad = before
        return loss

    def _is_finite(self) -> bool:
        """Divides the gradients by what a scaler left here, and returns whether they are fit for a step."""
        scale = self.__dict__.get("grad_scale")
        if scale is not None:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.detach().div_(scale)
        return not self.__dict__["found_inf"].item()

    def _read_late(self, options: dict[str, Any], now: Tracing) -> dict[str, Any]:
        """Returns a group's options for a step that is traced: rates, and what was seen to change, are tensors."""
        like, group = options["params"][0], dict(options)
        rates = self._rates_read_late if self._lifts_rates else ()
        for name in (*rates, *[n for n in _MAY_MOVE if n in options and now.changes(options, n)]):
            value = options[name]
            if isinstance(value, tuple):
                group[name] = tuple([now.rate(options, name, like, i) for i in range(len(value))])
            elif not isinstance(value, Tensor):
                now.guard(lambda name=name: bool(options[name]), f"whether {name} is 0")  # type: ignore[misc]  # its own
                if value or name == "lr":
                    group[name] = now.rate(options, name, like)
        return group

    def _step_group(self, group: dict[str, Any]) -> None:
        if tracing.now is not None and group["params"]:
            group = self._read_late(group, tracing.now)
        rare = group.get("differentiable") or group.get("capturable") or group.get("fused")
        kernel, like, its_grad = None, None, None
        params: list[Tensor] = []
        grads: list[Tensor] = []
        for p in group["params"]:
            extra = p._extra
            grad = None if extra is None else extra.grad
            if grad is None:
                continue
            if type(grad) is SparseTensor:
                self._require_dense(group)
            if rare:
                self._check_options(group, p)
            if like is None:
                like = p._key
                if self._kernel and tracing.now is None and not group.get("differentiable"):
                    kernel, its_grad = kernel_for_all(self._kernel, like), like.as_requires(False)
            if kernel is not None and p._key is like and p._a.flags.c_contiguous:
                a: Any = grad._a
                if type(grad) is Tensor and grad._key is its_grad:  # as nearly always; `is_plain` asks the rest
                    fits = a.flags.c_contiguous and a.shape == p._a.shape
                else:
                    fits = is_plain(grad, p)
                if fits:
                    params.append(p)
                    grads.append(grad)
                    continue
            self._move(group, p, grad)
        if params:
            self._move_all(group, kernel, params, grads)

    def _move(self, group: dict[str, Any], p: Tensor, grad: Tensor) -> None:
        """Moves one parameter, by ops."""
        decay = group.get("weight_decay", 0)
        if group.get("differentiable"):
            x = p
        else:
            x = alias_of(p)  # writes to it are writes to p, without p's being a leaf
            if grad._key.requires:
                grad = grad.detach()
        if group.get("maximize"):
            grad = -grad
        if not (isinstance(decay, (int, float)) and decay == 0) and not self._is_decoupled(group):
            grad = grad.add(x, alpha=decay) if not isinstance(decay, Tensor) else grad.add(x.mul(decay))
        self._update(group, p, x, grad)

    def _check_options(self, group: dict[str, Any], p: Tensor) -> None:
        """Raises torch's errors for options that do not go together, or not with this parameter."""
        if group.get("differentiable") and group.get("foreach"):
            raise AssertionError("_foreach ops don't support autograd")
        kind = p._key.device.type
        if group.get("capturable"):
            way = bool(group.get("foreach"))
            devices = [*_CAPTURABLE, "xla"] if self._capturable_on_xla[way] else _CAPTURABLE
            if kind not in devices:
                words = self._capturables[way]
                raise AssertionError(f"If capturable=True, {words} must be on supported devices: {devices}.")
        if group.get("fused") and not p._key.dtype.is_floating_point:
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported devices: "
                f"{_FUSED} but {p._key.dtype} and {kind}"
            )

    def _require_dense(self, group: dict[str, Any]) -> None:
        """Raises torch's error for a sparse gradient; a subclass that takes one says so by another method."""
        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return False

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        """Moves ``x``, an alias of the parameter ``p`` (which is the key of its state), along ``grad``."""
        raise NotImplementedError

    def _move_all(self, group: dict[str, Any], kernel: Any, params: list[Tensor], grads: list[Tensor]) -> None:
        """Moves parameters along their gradients as `_update` does, by one call of the kernel called `_kernel`."""
        raise NotImplementedError

    def _scalar(self, p: Tensor, value: float) -> Tensor:
        """Returns a number of a parameter's state as a tensor."""

        if tracing.now is not None:
            return _from_host((), scalar_dtype(), value, p)
        made: Tensor = FUNCTIONS["zeros"]((), dtype=scalar_dtype(), device=p._key.device, backend=p._key.backend)
        return made.fill_(value) if value else made

    def _slots(self, p: Tensor, **start: complex) -> tuple[float, list[Tensor]]:
        """Returns the number of this step and the named tensors of the parameter's state, made on first need.

        Complex ones come as real views: every method here treats the parts as independent numbers.
        """
        state = self.state[p]
        if not state:
            state["step"] = self._scalar(p, 0.0)
            for name, value in start.items():
                state[name] = _full_for(p, value)
        step = state["step"]
        step.add_(1)
        tensors = [real_view(state[name]) for name in start]
        return (step.item() if tracing.now is None else step.double()), tensors
