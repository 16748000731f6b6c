"""stft, istft and windows: what they refuse and warn of, and that one undoes the other."""

import pytest

import dispatchtorch as torch

WINDOW = [0.5, 1.0, 1.0, 0.5]


def spectra(**kwargs):
    signal = torch.tensor([1.0, 2.0, 0.0, -1.0, 3.0, 1.0, 2.0, 2.0])
    return torch.stft(signal, 4, window=torch.tensor(WINDOW), return_complex=True, **kwargs)


@pytest.mark.parametrize("options", [{}, {"normalized": True}, {"hop_length": 2}])
def test_istft_undoes_stft(options):
    back = torch.istft(spectra(**options), 4, window=torch.tensor(WINDOW), **options)
    assert back.tolist() == pytest.approx([1.0, 2.0, 0.0, -1.0, 3.0, 1.0, 2.0, 2.0], abs=1e-5)


def test_padding_at_the_end_is_told():
    with pytest.warns(UserWarning, match="The length of signal is shorter than the length parameter"):
        back = torch.istft(spectra(), 4, window=torch.tensor(WINDOW), length=12)
    assert back[10:].tolist() == [0.0, 0.0]


def test_a_missing_window_is_told():
    with pytest.warns(UserWarning, match="A window was not provided"):
        torch.stft(torch.ones(8), 4, return_complex=True)


def test_real_input_has_to_say_what_it_wants():
    with pytest.raises(RuntimeError, match="stft requires the return_complex parameter be given for real inputs"):
        torch.stft(torch.ones(8), 4, window=torch.ones(4))
    with pytest.warns(UserWarning, match="stft with return_complex=False is deprecated"):
        assert torch.stft(torch.ones(8), 4, window=torch.ones(4), return_complex=False).shape == (3, 9, 2)


def test_refusals_repeat_the_call():
    with pytest.raises(RuntimeError) as caught:
        torch.stft(torch.ones(8), 4, hop_length=0, window=torch.ones(4), return_complex=True)
    assert str(caught.value) == (
        "stft(torch.FloatTensor[12], n_fft=4, hop_length=0, win_length=4, window=torch.FloatTensor{[4]}, normalized=0, "
        "onesided=None, return_complex=1, align_to_window=None) : expected hop_length > 0, but got hop_length=0"
    )
    with pytest.raises(RuntimeError, match="window overlap add min: 1"):
        torch.istft(spectra(), 4, window=torch.zeros(4))


def test_windows():
    assert torch.hann_window(4).tolist() == pytest.approx([0.0, 0.5, 1.0, 0.5])
    assert torch.bartlett_window(5, False).tolist() == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert torch.kaiser_window(4, True, 3.0).tolist() == pytest.approx([0.2049, 0.7269, 1.0, 0.7269], abs=1e-4)
    assert torch.hann_window(1).tolist() == [1.0]
    assert torch.hamming_window(4, requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match="hann_window requires non-negative window_length, got window_length=-1"):
        torch.hann_window(-1)


def test_the_newer_family():
    windows = torch.signal.windows
    assert windows.gaussian(3).tolist() == pytest.approx([0.6065, 1.0, 0.6065], abs=1e-4)
    assert windows.exponential(4, center=0, sym=False).tolist() == pytest.approx(
        [1.0, 0.3679, 0.1353, 0.0498], abs=1e-4
    )
    assert windows.hann(0).shape == (0,)
    with pytest.raises(ValueError, match="Center must be None for symmetric windows"):
        windows.exponential(4, center=1)
    with pytest.raises(ValueError, match=r"general_cosine expects float32 or float64 dtypes, got: torch\.float16"):
        windows.hann(4, dtype=torch.float16)
