"""Spectra of short stretches of a signal, `stft`, and the signal back from them, `istft`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, FLOATING
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.fourier import _fft_c2c, _fft_c2r, _fft_r2c
from dispatchtorch.ops.pad import constant_pad_nd, pad_edges
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["istft", "stft"]

_NO_WINDOW = (
    "A window was not provided. A rectangular window will be applied,which is known to cause spectral leakage. Other "
    "windows such as torch.hann_window or torch.hamming_window are recommended to reduce spectral leakage.To suppress "
    "this warning and use a rectangular window, explicitly set `window=torch.ones(n_fft, device=<device>)`."
)
_NO_WINDOW_BACK = (
    "A window was not provided. A rectangular window will be applied.Please provide the same window used by stft to "
    "make the inversion lossless.To suppress this warning and use a rectangular window, explicitly set "
    "`window=torch.ones(n_fft, device=<device>)`."
)
_REAL_RESULT = (
    "stft with return_complex=False is deprecated. In a future pytorch release, stft will return complex tensors for "
    "all inputs, and return_complex=False will raise an error.\nNote: you can still call torch.view_as_real on the "
    "complex output to recover the old return format."
)
_SHORTER = (
    "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. Please "
    "check your center and hop_length settings."
)


def _shown(value: Any) -> str:
    return "None" if value is None else str(int(value))


def _window_shown(window: Tensor | None) -> str:
    return "None" if window is None else f"torch.{window._key.dtype.legacy}Tensor{{{list(window._a.shape)}}}"


def _is_complex(t: Tensor | None) -> bool:
    return t is not None and t._key.dtype.category == COMPLEX


def _whole_window(window: Tensor | None, like: Tensor, win_length: int, n_fft: int) -> Tensor | None:
    """Returns the window in the middle of ``n_fft`` points; None for one that is 1 everywhere."""
    if win_length == n_fft:
        return window
    if window is None:
        window = FUNCTIONS["ones"]((win_length,), dtype=like._key.dtype.to_real(), device=like._key.device)
    left = (n_fft - win_length) // 2
    return constant_pad_nd(window, [left, n_fft - win_length - left], 0)


# --- stft -------------------------------------------------------------------------------------------------------------


def _stft_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(20), 8), {"return_complex": True, "window": make(8)})
    yield Sample((make(2, 20), 8, 3, 6), {"return_complex": True, "window": make(6), "center": False})
    yield Sample((make(20), 8), {"return_complex": True, "window": make(8), "normalized": True, "onesided": False})


def _centered(input: Tensor, n_fft: int, pad_mode: str) -> Tensor:
    ndim = len(input._a.shape)
    extended = input.reshape((1,) * (3 - ndim) + tuple(input._a.shape))
    margin = n_fft // 2
    if pad_mode == "constant":
        padded = constant_pad_nd(extended, [margin, margin], 0)
    elif input._key.dtype.category == BOOL:
        raise NotImplementedError(f"\"{pad_mode}ion_pad1d\" not implemented for 'Bool'")
    elif pad_mode in ("reflect", "replicate", "circular"):
        padded = pad_edges(extended, ((margin, margin),), pad_mode)
    else:
        raise NotImplementedError(f"Unrecognised padding mode {pad_mode}")
    return padded.reshape(padded._a.shape[-ndim:])


@composite(method=True, samples=_stft_samples)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Returns the spectra of ``n_fft`` points every ``hop_length``: (..., frequencies, frames), complex.

    ``center`` continues the signal by half a stretch on both sides, so that frame t is around point t * hop_length.

    >>> torch.stft(torch.ones(8), 4, window=torch.ones(4), return_complex=True).shape
    torch.Size([3, 9])
    """
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    if center:
        input = _centered(input, n_fft, pad_mode)
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if window is None:
        warnings.warn(_NO_WINDOW, UserWarning, stacklevel=2)
    if return_complex is None:
        if not _is_complex(input) and not _is_complex(window):
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require that "
                "return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if not return_complex:
        warnings.warn(_REAL_RESULT, UserWarning, stacklevel=2)
    given = (
        f"stft(torch.{input._key.dtype.legacy}Tensor{list(input._a.shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={width}, window={_window_shown(window)}, normalized={int(normalized)}, "
        f"onesided={_shown(onesided)}, return_complex={int(return_complex)}, "
        f"align_to_window={_shown(align_to_window)}) : "
    )
    _check_stft(given, input, n_fft, hop, width, window)
    if not center and align_to_window:
        left = (n_fft - width) // 2
        input = constant_pad_nd(input, [left, left], 0)
    lone = len(input._a.shape) == 1
    frames = (input.unsqueeze(0) if lone else input).unfold(-1, n_fft, hop)
    whole = _whole_window(window, input, width, n_fft)
    if whole is not None:
        frames = frames * whole
    spectra = _spectra(frames, int(normalized), onesided).transpose(1, 2)
    out = spectra.squeeze(0) if lone else spectra
    return out if return_complex else FUNCTIONS["view_as_real"](out)  # type: ignore[no-any-return]  # an entry


def _check_stft(given: str, input: Tensor, n_fft: int, hop: int, width: int, window: Tensor | None) -> None:
    shape = input._a.shape
    if input._key.dtype.category < FLOATING:
        raise RuntimeError(f"{given}expected a tensor of floating point or complex values")
    if not 1 <= len(shape) <= 2:
        raise RuntimeError(f"{given}expected a 1D or 2D tensor")
    if not 0 < n_fft <= shape[-1]:
        raise RuntimeError(f"{given}expected 0 < n_fft < {shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"{given}expected hop_length > 0, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        raise RuntimeError(f"{given}expected 0 < win_length <= n_fft, but got win_length={width}")
    if window is not None and tuple(window._a.shape) != (width,):
        raise RuntimeError(
            f"{given}expected a 1D window tensor of size equal to win_length={width}, but got window with size "
            f"{list(window._a.shape)}"
        )


def _spectra(frames: Tensor, mode: int, onesided: bool | None) -> Tensor:
    dtype = frames._key.dtype
    if dtype.itemsize < 4:
        raise RuntimeError(f"MKL FFT doesn't support tensors of type: {dtype.legacy}")
    if dtype.category == COMPLEX:
        if onesided:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        return _fft_c2c(frames, (2,), mode, True)
    return _fft_r2c(frames, (2,), mode, onesided is None or onesided)


# --- istft ------------------------------------------------------------------------------------------------------------


def _istft_samples(make: Maker) -> Iterator[Sample]:
    window = make(8, low=0.5)
    yield Sample((make(5, 6, dtype="complex64"), 8), {"window": window})
    yield Sample((make(2, 5, 6, dtype="complex64"), 8, 3), {"window": window, "length": 15, "normalized": True})


@composite(method=True, samples=_istft_samples)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Returns the signal whose `stft` comes nearest to ``input``; RuntimeError where the windows leave a gap.

    >>> spectra = torch.stft(torch.ones(8), 4, window=torch.ones(4), return_complex=True)
    >>> torch.istft(spectra, 4, window=torch.ones(4))
    tensor([1., 1., 1., 1., 1., 1., 1., 1.])
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if window is None:
        warnings.warn(_NO_WINDOW_BACK, UserWarning, stacklevel=2)
    given = (
        f"istft(CPU{input._key.dtype.legacy}Type{list(input._a.shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={width}, window={_window_shown(window)}, center={int(center)}, normalized={int(normalized)}, "
        f"onesided={_shown(onesided)}, length={_shown(length)}, return_complex={int(return_complex)}) "
    )
    half = _is_onesided(given, input, n_fft, onesided)
    _check_istft(given + ": ", input, n_fft, half, hop, width, window)
    lone = len(input._a.shape) == 2
    if lone:
        input = input.unsqueeze(0)
    frames = input.transpose(1, 2)
    mode = 1 if normalized else 2
    if return_complex:
        if half:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        stretches = _fft_c2c(frames, (2,), mode, False)
    else:
        if _is_complex(window):
            raise RuntimeError("Complex windows are incompatible with return_complex=False")
        if not half:
            frames = frames.narrow(-1, 0, n_fft // 2 + 1)
        stretches = _fft_c2r(frames, (2,), mode, n_fft)
    whole = _whole_window(window, stretches, width, n_fft)
    if whole is None:
        whole = FUNCTIONS["ones"]((n_fft,), dtype=stretches._key.dtype.to_real(), device=stretches._key.device)
    out = _overlapped(given, stretches * whole, whole, hop, n_fft // 2 if center else 0, center, length)
    return out.squeeze(0) if lone else out


def _is_onesided(given: str, input: Tensor, n_fft: int, onesided: bool | None) -> bool:
    if not _is_complex(input):
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if len(input._a.shape) < 2:
        raise IndexError("Dimension out of range (expected to be in range of [-2, 1], but got -3)")
    return input._a.shape[-2] != n_fft if onesided is None else onesided


def _check_istft(
    given: str, input: Tensor, n_fft: int, half: bool, hop: int, width: int, window: Tensor | None
) -> None:
    shape = input._a.shape
    if not input._a.size:
        raise RuntimeError(f"{given}input tensor cannot be empty.")
    if len(shape) not in (2, 3):
        raise RuntimeError(f"{given}expected a tensor with 3 or 4 dimensions, but got {len(shape) + 1}")
    where = "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft"
    if half and shape[-2] != n_fft // 2 + 1:
        raise RuntimeError(f"{given}{where} / 2 + 1 when onesided=True, but got {shape[-2]}")
    if not half and shape[-2] != n_fft:
        raise RuntimeError(f"{given}{where} when onesided=False, but got {shape[-2]}")
    if not 0 < hop <= width:
        raise RuntimeError(f"{given}expected 0 < hop_length <= win_length")
    if not 0 < width <= n_fft:
        raise RuntimeError(f"{given}expected 0 < win_length <= n_fft")
    if window is not None and tuple(window._a.shape) != (width,):
        raise RuntimeError(f"{given}Invalid window shape. window has to be 1D and length of `win_length`")


def _overlapped(
    given: str, stretches: Tensor, window: Tensor, hop: int, start: int, center: bool, length: int | None
) -> Tensor:
    """Returns the stretches laid over each other, weighted so that what was windowed twice is itself again."""
    batch, count, n_fft = stretches._a.shape
    total = n_fft + hop * (count - 1)
    arange = FUNCTIONS["arange"]
    device = stretches._key.device
    places = (arange(count, device=device).unsqueeze(1) * hop + arange(n_fft, device=device)).reshape(-1)
    laid = stretches.new_zeros((batch, total)).index_add(1, places, stretches.reshape(batch, -1))
    weights = (window * window).expand(count, n_fft).reshape(-1)
    envelope = weights.new_zeros((total,)).index_add(0, places, weights)
    if length is not None:
        stop = start + length
    else:
        stop = total - (n_fft // 2 if center else 0)
    end = min(stop, total)
    laid, envelope = laid[:, start:end], envelope[start:end]
    lowest = METHODS["min"](METHODS["abs"](METHODS["detach"](envelope)))
    if not bool(lowest > 1e-11):
        raise RuntimeError(f"{given}window overlap add min: 1\n[ CPUBoolType{{}} ]")
    out: Tensor = laid / envelope
    if stop > total:
        warnings.warn(_SHORTER, UserWarning, stacklevel=3)
        out = constant_pad_nd(out, [0, stop - total], 0)
    return out
