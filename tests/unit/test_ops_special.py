"""Special functions at the edges, which the samples do not show. Expectations are PyTorch's."""

import math

import pytest

import dispatchtorch as torch

ONE = [
    ("i0e", [-700.0, 0.0, 8.0, 100000.0], [0.015081295651531355, 1.0, 0.1434317818568503, 0.0012615678379767766]),
    ("i1e", [-700.0, 0.0, 8.0, 100000.0], [-0.015070519444716846, 0.0, 0.13414249329269812, 0.001261561530121817]),
    (
        "modified_bessel_k0",
        [-1.0, 0.0, 0.5, 2.0, 700.0],
        [math.nan, math.inf, 0.924419071227666, 0.1138938727495334, 4.6697764316853765e-306],
    ),
    (
        "modified_bessel_k1",
        [-1.0, 0.0, 0.5, 2.0, 700.0],
        [math.nan, math.inf, 1.6564411200033007, 0.13986588181652246, 4.6731107967079664e-306],
    ),
    ("scaled_modified_bessel_k0", [0.5, 2.0, 10000.0], [1.5241093857739099, 0.8415682150707712, 0.012532984717699288]),
    (
        "erfcx",
        [-26.0, -1.0, 0.5, 27.0, 10000000000.0],
        [7.657724931490568e293, 5.008980080762283, 0.6156903441929258, 0.02088160799042094, 5.641895835477563e-11],
    ),
    (
        "log_ndtr",
        [-100000.0, -10.0, 0.0, 5.0, 40.0],
        [-5000000012.431865, -53.23128515051248, -0.6931471805599453, -2.866516129637633e-07, -0.0],
    ),
    (
        "ndtri",
        [0.0, 1e-300, 1e-05, 0.5, 0.999, 1.0, 2.0],
        [-math.inf, -37.0470962993612, -4.264890793922825, 0.0, 3.090232306167813, math.inf, math.nan],
    ),
    ("entr", [-1.0, 0.0, 0.5, 2.0], [-math.inf, 0.0, 0.34657359027997264, -1.3862943611198906]),
    ("spherical_bessel_j0", [0.0, 1e-09, 0.4, 3.0, math.inf], [1.0, 1.0, 0.9735458557716262, 0.0470400026866224, 0.0]),
    (
        "airy_ai",
        [-2.0, 0.0, 1.0, 20.0, 200.0],
        [0.22740742820168564, 0.3550280538878172, 0.13529241631288144, 1.691672868670532e-27, 0.0],
    ),
]
TWO = [
    (
        "zeta",
        [2.0, 4.0, 1.0, 0.5, 3.0, 2.0, 2.0],
        [1.0, 0.25, 2.0, 1.0, -2.5, -1.0, 30.0],
        [1.6449340668482266, 256.4636906681982, math.inf, math.nan, 0.0541020258208641, math.inf, 0.033895060357739946],
    ),
    (
        "gammainc",
        [0.0, 0.5, 2.0, 30.0, 100.0, 3.0, 1000.0],
        [2.0, 0.1, 9.0, 28.0, 130.0, math.inf, 1010.0],
        [1.0, 0.345279153981423, 0.9987659019591332, 0.37738969399387456, 0.9972495916326934, 1.0, 0.6276789446814572],
    ),
    (
        "gammaincc",
        [0.0, 0.5, 2.0, 30.0, 100.0, 3.0, 1000.0],
        [2.0, 0.1, 9.0, 28.0, 130.0, math.inf, 1010.0],
        [
            0.0,
            0.6547208460185769,
            0.0012340980408667957,
            0.6226103060061254,
            0.0027504083673065166,
            0.0,
            0.37232105531854276,
        ],
    ),
    ("chebyshev_polynomial_t", [0.5, -1.0, 2.0, 0.3], [3.0, 7.0, 5.0, 40.0], [-1.0, -1.0, 362.0, 0.9291591886517986]),
    ("hermite_polynomial_h", [0.5, -1.0, 2.0], [3.0, 7.0, 600.0], [-5.0, -464.0, math.nan]),
    ("laguerre_polynomial_l", [0.5, 0.0, 2.0], [3.0, 7.0, 11.0], [-0.14583333333333334, 1.0, -0.5412153278819946]),
    ("legendre_polynomial_p", [0.5, -1.0, 2.0], [3.0, 7.0, 11.0], [-0.4375, -1.0, 342139.5546875]),
]


def _is_near(got, want):
    return (math.isnan(want) and math.isnan(got)) or got == want or math.isclose(got, want, rel_tol=1e-9)


@pytest.mark.parametrize(("name", "given", "want"), ONE)
def test_one_argument(name, given, want):
    got = getattr(torch.special, name)(torch.tensor(given, dtype=torch.float64)).tolist()
    assert [w for g, w in zip(got, want, strict=True) if not _is_near(g, w)] == []


@pytest.mark.parametrize(("name", "first", "second", "want"), TWO)
def test_two_arguments(name, first, second, want):
    one, two = (torch.tensor(x, dtype=torch.float64) for x in (first, second))
    got = getattr(torch.special, name)(one, two).tolist()
    assert [(g, w) for g, w in zip(got, want, strict=True) if not _is_near(g, w)] == []


def test_bessel_functions_are_exact_beyond_five():
    # PyTorch's own are off by 1e-8 there; these are from NIST's tables
    got = torch.special.bessel_j0(torch.tensor([5.0, 10.0], dtype=torch.float64)).tolist()
    assert got == pytest.approx([-0.17759677131433830, -0.24593576445134834], rel=1e-14)


def test_what_has_no_derivative_records_nothing():
    x = torch.ones(2, requires_grad=True)
    assert torch.special.bessel_j0(x).grad_fn is None
    assert torch.special.legendre_polynomial_p(x, 3).grad_fn is None


@pytest.mark.parametrize("name", ["zeta", "igamma: input"])
def test_a_derivative_that_does_not_exist_says_so(name):
    x = torch.full((2,), 2.0, requires_grad=True)
    out = torch.special.zeta(x, 2) if name == "zeta" else torch.igamma(x, x.detach())
    with pytest.raises(NotImplementedError, match=f"the derivative for '{name}' is not implemented."):
        out.sum().backward()


def test_two_numbers_fit_no_form():
    with pytest.raises(
        TypeError, match=r"special_zeta\(\) received an invalid combination of arguments - got \(int, int"
    ):
        torch.special.zeta(2, 3)
    with pytest.raises(TypeError, match=r"\(Number self, Tensor other\)\n      didn't match because"):
        torch.remainder(2, 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda t: torch.special.airy_ai(t([1.0]).half()), "\"airy_ai_cpu\" not implemented for 'Half'"),
        (lambda t: torch.igamma(t([1]), t([1])), "\"igamma_cpu\" not implemented for 'Long'"),
        (lambda t: torch.clamp(t([True]), False, True), "\"clamp_scalar_cpu\" not implemented for 'Bool'"),
        (lambda t: torch.nextafter(t([1]), t([2])), "\"nextafter_cpu\" not implemented for 'Long'"),
        (
            lambda t: torch.heaviside(t([1.0]), t([1])),
            "heaviside is not yet implemented for tensors with different dtypes.",
        ),
        (lambda t: t([1j]).abs_(), "In-place abs is not supported for complex tensors."),
        (lambda t: torch.mvlgamma(t([1.0]), 0), "p has to be greater than or equal to 1"),
        (lambda t: torch.frexp(t([1])), "torch.frexp() only supports floating-point dtypes"),
        (lambda t: t([1]).ldexp_(t([1])), "ldexp can't be cast to the desired output type Long"),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(RuntimeError) as caught:  # NotImplementedError is one
        call(torch.tensor)
    assert str(caught.value) == sentence


def test_frexp_takes_apart_and_ldexp_puts_together():
    x = torch.tensor([3.0, -0.1, 0.0, math.inf, 2.0**-149])
    mantissa, exponent = torch.frexp(x)
    assert exponent.tolist() == [2, -3, 0, 0, -148]
    assert torch.ldexp(mantissa, exponent).tolist() == x.tolist()


def test_complex_roots_know_both_sides_of_the_cut():
    z = torch.tensor([complex(-4.0, 0.0), complex(-4.0, -0.0)], dtype=torch.complex128)
    assert torch.sqrt(z).tolist() == [2j, -2j]
    assert torch.acosh(z).imag.tolist() == [math.pi, -math.pi]


def test_half_precision_is_rounded_once():
    a, b, c = (torch.tensor([v]).half() for v in (1000.0, 33.0, 31.0))
    assert torch.addcmul(a, b, c, value=0.1).item() == 1102.0
