"""Recurrent layers and cells: RNN, LSTM and GRU by torch's functions of these names.

``_recurrent`` walks one layer in one direction over all times; layers, directions, dropout between layers and packed
sequences are made of it. Must not know modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.autograd.api import grad as gradients
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.matmul import _linear
from dispatchtorch.ops.pointwise import conj_of
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]

Tensors = tuple[Tensor, ...]


# --- one layer, one direction -----------------------------------------------------------------------------------------


def _split(x: Tensor, count: int) -> Tensors:
    return x.chunk(count, -1)


def _lstm_step(x: Tensor, hidden: Tensor, cell: Tensor) -> Tensors:
    i, f, g, o = _split(x + hidden, 4)
    following = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * following.tanh(), following


def _gru_step(x: Tensor, hidden: Tensor, state: Tensor) -> Tensor:
    (xr, xz, xn), (hr, hz, hn) = _split(x, 3), _split(hidden, 3)
    fresh = (xn + (xr + hr).sigmoid() * hn).tanh()
    return fresh + (xz + hz).sigmoid() * (state - fresh)


def _plain_step(mode: str, x: Tensor, hidden: Tensor) -> Tensor:
    total = x + hidden
    return total.tanh() if mode == "tanh" else total.relu()


def _derived(
    g: Sequence[Tensor | None],
    out: Tensors,
    x: Tensor,
    h: Tensor,
    w: Tensor,
    mode: str,
    reverse: bool,
    b: Tensor | None,
    r: Tensor | None,
    c: Tensor | None,
    mask: Tensor | None,
    needs: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Returns the gradients; while history is recorded those of the decomposition, which has derivatives again."""
    given = (x, h, w, b, r, c)
    if modes.grad:
        again = _recurrent.op.body(x, h, w, mode, reverse, b, r, c, mask)  # type: ignore[attr-defined]  # an entry
        reached = [(one, grad) for one, grad in zip(again, g[:4], strict=False) if grad is not None]
        wanted = [t for t, needed in zip(given, needs, strict=True) if needed and t is not None]
        roots, seeds = [one for one, _ in reached], [grad for _, grad in reached]
        found = iter(gradients(roots, wanted, seeds, create_graph=True, allow_unused=True))
        return tuple(
            [next(found) if needed and t is not None else None for t, needed in zip(given, needs, strict=True)]
        )
    cells = out[3] if mode == "lstm" else None
    zeros = FUNCTIONS["zeros_like"]
    # a step has a complex derivative D and the kernel gives g @ D; the gradient that is meant is g @ conj(D)
    grads = [zeros(one) if grad is None else conj_of(grad) for one, grad in zip(out[:3], g, strict=False)]
    if cells is not None and g[3] is not None:
        grads.append(conj_of(g[3]))
    got = _recurrent_backward(grads, x, h, w, out[0], mode, reverse, b, r, c, mask, cells, out[4:])
    return tuple([conj_of(grad) if t is not None else None for grad, t in zip(got, given, strict=True)])


def _samples(make: Maker) -> Iterator[Sample]:
    for mode, gates in (("tanh", 1), ("relu", 1), ("gru", 3)):
        yield Sample((make(3, 2, gates * 3), make(2, 3), make(gates * 3, 3), mode, False, make(gates * 3)))
    yield Sample((make(3, 2, 12), make(2, 3), make(12, 3), "lstm", True, make(12), None, make(2, 3)))
    yield Sample((make(3, 2, 12), make(2, 2), make(12, 2), "lstm", False, None, make(2, 3), make(2, 3)))


@primitive(
    grad={
        ("x", "h", "w", "b", "r", "c"): lambda g, out, x, h, w, mode, reverse, b, r, c, mask, needs: _derived(
            g, out, x, h, w, mode, reverse, b, r, c, mask, needs
        )
    },
    node="StackBackward0",
    samples=_samples,
    partial=True,
)
def _recurrent(
    x: Tensor,
    h: Tensor,
    w: Tensor,
    mode: str,
    reverse: bool,
    b: Tensor | None = None,
    r: Tensor | None = None,
    c: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensors:
    """Returns the states at all times and the last one; of an LSTM the last cells and the cells at all times too.

    A kernel may give more of an LSTM: what it keeps for the way back, which only the backend's own
    `_recurrent_backward` can read. It has no gradient.
    ``x`` (time, batch, gates) is the input's share of the gates; where ``mask`` (time, batch, 1) is false, the state
    stays. ``r`` projects an LSTM's state.
    """
    where = FUNCTIONS["where"]
    count = int(x._a.shape[0])
    states: list[Any] = [None] * count
    cells: list[Any] = [None] * count
    state, cell = h, c
    for t in reversed(range(count)) if reverse else range(count):
        hidden = _linear(state, w, b)
        fresh_cell: Any = None
        if mode == "lstm":
            fresh, fresh_cell = _lstm_step(x[t], hidden, cell)  # type: ignore[arg-type]  # an LSTM has cells
            fresh = fresh if r is None else _linear(fresh, r, None)
        else:
            fresh = _gru_step(x[t], hidden, state) if mode == "gru" else _plain_step(mode, x[t], hidden)
        if mask is not None:
            fresh = where(mask[t], fresh, state)
            fresh_cell = fresh_cell if fresh_cell is None else where(mask[t], fresh_cell, cell)
        state, cell = fresh, fresh_cell
        states[t], cells[t] = state, cell
    stack = FUNCTIONS["stack"]
    if mode != "lstm":
        return stack(states), state.clone()
    return stack(states), state.clone(), cell.clone(), stack(cells)  # type: ignore[union-attr]  # an LSTM has cells


@primitive()
def _recurrent_backward(
    grads: Sequence[Tensor],
    x: Tensor,
    h: Tensor,
    w: Tensor,
    out: Tensor,
    mode: str,
    reverse: bool,
    b: Tensor | None = None,
    r: Tensor | None = None,
    c: Tensor | None = None,
    mask: Tensor | None = None,
    cells: Tensor | None = None,
    kept: Sequence[Tensor] = (),
) -> Tensors:
    """Returns the gradients of x, h, w, b, r and c; those of what is not there are empty.

    ``grads`` are those of `_recurrent`'s results; the one of an LSTM's cells at all times may be missing.
    """
    ...


# --- layers and directions --------------------------------------------------------------------------------------------


class _Packing:
    """Where the rows of a packed sequence lie in a padded one, and back."""

    def __init__(self, batch_sizes: Sequence[int], like: Tensor) -> None:
        tensor = FUNCTIONS["tensor"]
        batch, place = batch_sizes[0], 0
        padded: list[int] = []
        packed: list[int] = []
        live: list[bool] = []
        for t, size in enumerate(batch_sizes):
            padded += [place + min(i, size - 1) for i in range(batch)]
            packed += [t * batch + i for i in range(size)]
            live += [i < size for i in range(batch)]
            place += size
        device = like._key.device
        self.shape = (len(batch_sizes), batch)
        self._padded = tensor(padded, device=device)
        self._packed = tensor(packed, device=device)
        even = batch_sizes[-1] == batch
        self.mask = None if even else tensor(live, device=device).reshape(*self.shape, 1)

    def pad(self, data: Tensor) -> Tensor:
        """Returns (rows, features) as (time, batch, features)."""
        return data.index_select(0, self._padded).reshape(*self.shape, -1)

    def pack(self, padded: Tensor) -> Tensor:
        """Returns (time, batch, features) as (rows, features)."""
        return padded.reshape(self.shape[0] * self.shape[1], -1).index_select(0, self._packed)


def _all_layers(
    mode: str,
    input: Tensor,
    h: Tensor,
    c: Tensor | None,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    packing: _Packing | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Returns the output (time, batch, features) or packed, the last states, and an LSTM's last cells."""
    directions = 2 if bidirectional else 1
    each = (4 if has_biases else 2) + int(c is not None and c._a.shape[-1] != h._a.shape[-1])
    if len(params) != each * num_layers * directions:
        raise RuntimeError(f"got an incorrect number of RNN parameters, expected {each * num_layers * directions}")
    states, cells = [], []
    out = input
    for layer in range(num_layers):
        sides = []
        for direction in range(directions):
            k = layer * directions + direction
            w_ih, w_hh, *rest = params[k * each : (k + 1) * each]
            b_ih, b_hh = (rest[0], rest[1]) if has_biases else (None, None)
            r = rest[-1] if len(rest) in (1, 3) else None
            if b_ih is not None and mode != "gru":  # one addition in all, where a gate is of both sums
                b_ih, b_hh = b_ih + b_hh, None
            share = _linear(out, w_ih, b_ih)
            share = share if packing is None else packing.pad(share)
            mask = None if packing is None else packing.mask
            found = _recurrent(share, h[k], w_hh, mode, direction == 1, b_hh, r, None if c is None else c[k], mask)
            sides.append(found[0] if packing is None else packing.pack(found[0]))
            states.append(found[1])
            cells += [found[2]] if c is not None else []
        out = sides[0] if directions == 1 else FUNCTIONS["cat"](sides, -1)
        if train and dropout and layer < num_layers - 1:
            out = FUNCTIONS["dropout"](out, dropout, True)
    stack = FUNCTIONS["stack"]
    return out, stack(states), stack(cells) if cells else None


def _flag(value: Any) -> bool:
    return bool(value)


def _run(mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    """Returns the function of torch's two signatures: a padded input, or data and batch sizes."""
    names = ["hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional"]
    is_packed = "batch_sizes" in kwargs or (len(args) > 3 and isinstance(args[3], (list, tuple)))
    order = ["data", "batch_sizes", *names] if is_packed else ["input", *names, "batch_first"]
    given = dict(zip(order, args, strict=False)) | kwargs
    missing = [name for name in order if name not in given]
    if missing:
        raise TypeError(f"{mode}() missing {len(missing)} required positional arguments: {', '.join(missing)}")
    hx = given["hx"]
    is_lstm = mode == "lstm"
    if is_lstm and len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    h, c = (hx[0], hx[1]) if is_lstm else (hx, None)
    settings = (
        given["params"],
        _flag(given["has_biases"]),
        int(given["num_layers"]),
        float(given["dropout"]),
        _flag(given["train"]),
        _flag(given["bidirectional"]),
    )
    if is_packed:
        packing = _Packing([int(n) for n in given["batch_sizes"].tolist()], given["data"])
        out, last, cells = _all_layers(mode, given["data"], h, c, *settings, packing)
    else:
        input, first = given["input"], _flag(given["batch_first"])
        input = input.transpose(0, 1) if first else input
        out, last, cells = _all_layers(mode, input, h, c, *settings, None)
        out = out.transpose(0, 1) if first else out
    return (out, last) if cells is None else (out, last, cells)


def _sequence_samples(gates: int, is_lstm: bool) -> Any:
    def sampler(make: Maker) -> Iterator[Sample]:
        def params(width: int) -> list[Any]:
            shapes = ((gates * 3, width), (gates * 3, 3), (gates * 3,), (gates * 3,))
            return [make(*shape, low=-0.5, high=0.5) for shape in shapes]  # small: tanh has poles in the complex plane

        def states(count: int) -> Any:
            return [make(count, 2, 3), make(count, 2, 3)] if is_lstm else make(count, 2, 3)

        yield Sample((make(4, 2, 5), states(1), params(5), True, 1, 0.0, False, False, False))
        both = [*params(5), *params(5), *params(6), *params(6)]
        yield Sample((make(2, 4, 5), states(4), both, True, 2, 0.0, False, True, True))
        sizes = FUNCTIONS["tensor"]([2, 2, 1])
        yield Sample((make(5, 5), sizes, states(1), params(5), True, 1, 0.0, False, False))

    return sampler


@composite(samples=_sequence_samples(4, True))
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Returns output, last states and last cells of LSTM layers.

    ``lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``, or for a packed
    sequence ``lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)``.
    """
    return _run("lstm", args, kwargs)


@composite(samples=_sequence_samples(3, False))
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Returns output and last states of GRU layers; arguments as those of `lstm`."""
    return _run("gru", args, kwargs)


@composite(samples=_sequence_samples(1, False))
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Returns output and last states of layers with tanh; arguments as those of `lstm`."""
    return _run("tanh", args, kwargs)


@composite(samples=_sequence_samples(1, False))
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Returns output and last states of layers with relu; arguments as those of `lstm`."""
    return _run("relu", args, kwargs)


# --- cells ------------------------------------------------------------------------------------------------------------


def _check_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor) -> None:
    width, have = int(w_ih._a.shape[-1]), int(input._a.shape[-1])
    if have != width:
        raise RuntimeError(f"input has inconsistent input_size: got {have} expected {width}")
    hidden, size = int(w_hh._a.shape[-1]), int(hx._a.shape[-1])
    if input._a.shape[0] != hx._a.shape[0]:
        raise RuntimeError(
            f"Input batch size {int(input._a.shape[0])} doesn't match hidden0 batch size {int(hx._a.shape[0])}"
        )
    if size != hidden:
        raise RuntimeError(f"hidden0 has inconsistent hidden_size: got {size}, expected {hidden}")


def _cell_samples(gates: int, is_lstm: bool) -> Any:
    def sampler(make: Maker) -> Iterator[Sample]:
        state = (make(2, 3), make(2, 3)) if is_lstm else make(2, 3)
        weights = (make(gates * 3, 4), make(gates * 3, 3))
        yield Sample((make(2, 4), state, *weights, make(gates * 3), make(gates * 3)))
        yield Sample((make(2, 4), state, *weights))

    return sampler


@composite(samples=_cell_samples(4, True))
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the next state and cell of an LSTM, for a batch (N, features)."""
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    _check_cell(input, hx[0], w_ih, w_hh)
    share = _linear(input, w_ih, b_ih).unsqueeze(0)
    _, state, cell, *_ = _recurrent(share, hx[0], w_hh, "lstm", False, b_hh, None, hx[1])
    return state, cell


def _cell(
    mode: str, input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None
) -> Tensor:
    _check_cell(input, hx, w_ih, w_hh)
    return _recurrent(_linear(input, w_ih, b_ih).unsqueeze(0), hx, w_hh, mode, False, b_hh)[1]


@composite(samples=_cell_samples(3, False))
def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Returns the next state of a GRU, for a batch (N, features)."""
    return _cell("gru", input, hx, w_ih, w_hh, b_ih, b_hh)


@composite(samples=_cell_samples(1, False))
def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Returns ``tanh(w_ih @ input + b_ih + w_hh @ hx + b_hh)``, for a batch (N, features)."""
    if input._key.dtype.category < FLOATING:
        _check_cell(input, hx, w_ih, w_hh)
        return (_linear(input, w_ih, b_ih) + _linear(hx, w_hh, b_hh)).tanh()
    return _cell("tanh", input, hx, w_ih, w_hh, b_ih, b_hh)


@composite(samples=_cell_samples(1, False))
def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Returns ``relu(w_ih @ input + b_ih + w_hh @ hx + b_hh)``, for a batch (N, features)."""
    return _cell("relu", input, hx, w_ih, w_hh, b_ih, b_hh)
