"""torch.fft's arguments, refusals and `out=`; values and derivatives are the kit's."""

import pytest

import dispatchtorch as torch


def numbers(t):
    return [complex(round(v.real, 4), round(v.imag, 4)) for v in t.to(torch.complex64).reshape(-1).tolist()]


def test_the_halves_tell_the_whole():
    x = torch.tensor([1.0, 2.0, 4.0, 3.0])
    assert numbers(torch.fft.fft(x)) == [10, -3 + 1j, 0, -3 - 1j]
    assert numbers(torch.fft.rfft(x)) == [10, -3 + 1j, 0]
    assert torch.fft.irfft(torch.fft.rfft(x)).tolist() == pytest.approx(x.tolist())
    assert torch.fft.irfft(torch.fft.rfft(x[:3]), n=3).tolist() == pytest.approx([1.0, 2.0, 4.0])


@pytest.mark.parametrize(("norm", "scale"), [(None, 1.0), ("backward", 1.0), ("ortho", 0.5), ("forward", 0.25)])
def test_norm_says_what_the_sum_is_divided_by(norm, scale):
    x = torch.tensor([1.0, 2.0, 4.0, 3.0])
    assert torch.fft.fft(x, norm=norm)[0].real.item() == pytest.approx(10 * scale)
    assert torch.fft.ifft(torch.fft.fft(x, norm=norm), norm=norm).real.tolist() == pytest.approx(x.tolist())


def test_sizes_cut_and_fill_up():
    x = torch.ones(2, 3)
    assert torch.fft.fft(x, n=5).shape == (2, 5)
    assert torch.fft.fftn(x, s=(4,)).shape == (2, 4)
    assert torch.fft.irfftn(x, s=(2, -1)).shape == (2, 4)
    assert torch.fft.hfft2(x, s=(3, 5)).shape == (3, 5)


def test_integers_become_the_default_float():
    assert torch.fft.fft(torch.tensor([1, 2])).dtype is torch.complex64
    assert torch.fft.irfft(torch.tensor([1, 2])).dtype is torch.float32


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda f, x: f.fft(x, norm="a"), RuntimeError, 'Invalid normalization mode: "a"'),
        (lambda f, x: f.fft(x.half()), RuntimeError, "Unsupported dtype Half"),
        (lambda f, x: f.fft(x, n=0), RuntimeError, "Invalid number of data points (0) specified"),
        (lambda f, x: f.irfft(x[:, :1]), RuntimeError, "Invalid number of data points (0) specified"),
        (lambda f, x: f.rfft(x + 0j), RuntimeError, "rfft expects a real input tensor, but got ComplexFloat"),
        (lambda f, x: f.rfft2(x + 0j), RuntimeError, "rfftn expects a real-valued input tensor, but got ComplexFloat"),
        (lambda f, x: f.fftn(x, dim=(0, 0)), RuntimeError, "FFT dims must be unique"),
        (lambda f, x: f.rfftn(x, dim=()), RuntimeError, "rfftn must transform at least one axis"),
        (lambda f, x: f.fft(x[0, 0]), IndexError, "Dimension specified as -1 but tensor has no dimensions"),
        (
            lambda f, x: f.fft(x, out=torch.empty(2, 3)), RuntimeError,
            "fft expects a complex output tensor, but got Float",
        ),
        (
            lambda f, x: f.fftfreq(4, dtype=torch.int64), RuntimeError,
            "fftfreq requires a floating point or complex dtype",
        ),
    ],
)  # fmt: skip
def test_refusals(call, kind, words):
    with pytest.raises(kind) as caught:
        call(torch.fft, torch.ones(2, 3))
    assert str(caught.value) == words


def test_out_is_filled():
    out = torch.empty(3, dtype=torch.complex128)
    assert torch.fft.fft(torch.ones(3), out=out) is out
    assert out.real.tolist() == [3.0, 0.0, 0.0]


def test_twice_differentiable():
    x = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: torch.fft.rfft(x).abs(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: torch.fft.irfft(torch.fft.rfft(x), n=3) ** 2, (x,))


def test_frequencies():
    assert torch.fft.fftfreq(5).tolist() == pytest.approx([0.0, 0.2, 0.4, -0.4, -0.2])
    assert torch.fft.rfftfreq(4, 0.5).tolist() == [0.0, 0.5, 1.0]
    shifted = torch.fft.fftshift(torch.arange(5))
    assert shifted.tolist() == [3, 4, 0, 1, 2]
    assert torch.fft.ifftshift(shifted).tolist() == [0, 1, 2, 3, 4]
