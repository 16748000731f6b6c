"""Bessel functions of order 0 and 1 and Airy's function, over any numpy-like namespace.

Everything is computed in float64 and given back in the argument's dtype: to a few units in the last place, absolute
near zeros beyond the first. The tables are Chebyshev coefficients, interpolated in 50 digits from the functions as
DLMF chapters 9 and 10 define them, made for this file.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.modified_bessel import chebyshev

__all__: list[str] = []

# J0(x) / (x * x - r * r), r its first zero, in x * x / 12.5 - 1, x <= 5
_J0_NEAR: tuple[float, ...] = (
    -0.07405174056387834, 0.07995724165008089, -0.01689860151045831, 0.0018734993201736279, -0.00012786334214099545,
    5.919230226082256e-06, -1.9827937012047592e-07, 5.032513126170568e-09, -1.0017563061986844e-10,
    1.606362191368658e-12, -2.119981793307844e-14, 2.3433615705472256e-16, -2.2014527429358544e-18,
)  # fmt: skip
# J1(x) / (x (x * x - r * r)), r its first zero above 0, in x * x / 12.5 - 1, x <= 5
_J1_NEAR: tuple[float, ...] = (
    -0.018028415801166292, 0.013661487082063361, -0.0021632651559238044, 0.0001909490103660189,
    -1.0816174736957452e-05, 4.278886056259686e-07, -1.251337564352681e-08, 2.8183488843903415e-10,
    -5.042568567278396e-12, 7.34347631506432e-14, -8.876744102278278e-16, 9.051454724528835e-18,
    -7.891777052481785e-20,
)  # fmt: skip
# Y0(x) - 2 / pi log(x) J0(x) in x * x / 12.5 - 1, x <= 5
_Y0_NEAR: tuple[float, ...] = (
    0.20605257634092228, -0.13017522381095709, -0.291894720865317, 0.10268287966073635, -0.014279159901781987,
    0.0011164629864165486, -5.677525113380376e-05, 2.0406703657627165e-06, -5.476431029755533e-08,
    1.141220652090372e-09, -1.9021689490013906e-11, 2.5954970583106197e-13, -2.9540707750193604e-15,
    2.848154182311252e-17,
)  # fmt: skip
# (Y1(x) - 2 / pi (log(x) J1(x) - 1 / x)) / x in x * x / 12.5 - 1, x <= 5
_Y1_NEAR: tuple[float, ...] = (
    0.0531074450560213, 0.14189450894667655, -0.08834328868289824, 0.017111109934210778, -0.0017057852565133666,
    0.000105257530278434, -4.44507526565354e-06, 1.3699277670028168e-07, -3.222883768023259e-09,
    5.984534092223177e-11, -9.000965667133812e-13, 1.1194186560306676e-14, -1.1707921590181557e-16,
    1.0444110354608508e-18,
)  # fmt: skip
# P of the modulus and phase expansion (DLMF 10.17), of order 0, in 50 / x ** 2 - 1, x >= 5
_P0: tuple[float, ...] = (
    0.9986523398776954, -0.00132937162125028, 1.761305551290559e-05, -6.319367118733069e-07, 3.948825587093808e-08,
    -3.5409678948019087e-09, 4.103246366872386e-10, -5.765747662655223e-11, 9.423105578391987e-12,
    -1.7401405706283885e-12, 3.5557750052411783e-13, -7.914641501338115e-14, 1.8959456362961815e-14,
    -4.841483019175678e-15, 1.307855519590097e-15, -3.714050821412443e-16, 1.1030231778698977e-16,
    -3.410936210471147e-17, 1.0942187869279041e-17, -3.62990567274085e-18,
)  # fmt: skip
# x Q of the same
_Q0: tuple[float, ...] = (
    -0.12364702582167493, 0.0013190194049922607, -3.218799121266175e-05, 1.6237093205642789e-06,
    -1.2743289742032805e-07, 1.3513032763134409e-08, -1.785075905119705e-09, 2.79085713479036e-10,
    -4.988908027652833e-11, 9.950713667806645e-12, -2.1751206043008833e-12, 5.140127162427604e-13,
    -1.299324265605916e-13, 3.483763577688949e-14, -9.840057572543167e-15, 2.9115274918581246e-15,
    -8.982151171282701e-16, 2.8777689065180124e-16, -9.542905010954098e-17, 3.2658161928399155e-17,
    -1.1505181755176359e-17, 4.1632042052908384e-18, -1.5443690231535217e-18, 5.862956788229085e-19,
)  # fmt: skip
# P of the modulus and phase expansion (DLMF 10.17), of order 1, in 50 / x ** 2 - 1, x >= 5
_P1: tuple[float, ...] = (
    1.00226762068534, 0.0022437352958079985, -2.3071018862548286e-05, 7.639181732533905e-07, -4.589685232343401e-08,
    4.020515478419001e-09, -4.586773977170972e-10, 6.373158962859246e-11, -1.0327344567640412e-11,
    1.8943274995111034e-12, -3.849703387824105e-13, 8.529914525779044e-14, -2.0354469786572287e-14,
    5.1804217389005294e-15, -1.3953502148258113e-15, 3.9523601713306916e-16, -1.1711170801253775e-16,
    3.6140785647102293e-17, -1.157235605270215e-17, 3.832473905653962e-18,
)  # fmt: skip
# x Q of the same
_Q1: tuple[float, ...] = (
    0.37308734621468637, -0.0018705189681051477, 4.0056994520460306e-05, -1.914402839085632e-06,
    1.458816510742199e-07, -1.5183398644673165e-08, 1.979922260589517e-09, -3.065981449437696e-10,
    5.440233592059753e-11, -1.0786652192538468e-11, 2.3463528317588936e-12, -5.522046856541825e-13,
    1.3909728481393814e-13, -3.7181516752164305e-14, 1.0474063117828585e-14, -3.091784202916802e-15,
    9.518051831060176e-16, -3.043645066663813e-16, 1.007548757919412e-16, -3.4426306604045494e-17,
    1.21105039390345e-17, -4.3763888402479884e-18, 1.6214442755704806e-18,
)  # fmt: skip
# Ai(x) in (x + 0.55) / 1.55, -2.1 <= x <= 1
_AIRY_NEAR: tuple[float, ...] = (
    0.31710022571468455, -0.07435680937878329, -0.16920539936780035, 0.06541104486099135, 0.00045578672296395234,
    -0.005195137440001306, 0.00108791021637305, 3.7911396310949684e-05, -5.0437581713627875e-05,
    7.1783245611940925e-06, 3.5435828030340753e-07, -2.3766397211238932e-07, 2.5248873536114978e-08,
    1.5038496244630775e-09, -6.593963862865229e-10, 5.50355627180594e-11, 3.742115846141609e-12,
    -1.2038945297501507e-12, 8.147724507459606e-14, 6.1696934779097155e-15, -1.5550785024902967e-15,
    8.713899571821278e-17, 7.259387330593009e-18, -1.4955141831934694e-18,
)  # fmt: skip
# 2 sqrt(pi) x ** 0.25 exp(z) Ai(x), z = 2/3 x ** 1.5, in 4 / (3 z) - 1, x >= 1
_AIRY_DECAY: tuple[float, ...] = (
    0.9637683609849689, -0.03241600019448593, 0.0031941239613695834, -0.0004942254050330157, 9.706517942546595e-05,
    -2.224444511200298e-05, 5.694838987920343e-06, -1.5868397039029868e-06, 4.7311609911660025e-07,
    -1.4914679268537125e-07, 4.928201239454347e-08, -1.6955948660827914e-08, 6.043322459186302e-09,
    -2.2220862485979766e-09, 8.400808330101411e-10, -3.2564980497900126e-10, 1.291333812818742e-10,
    -5.227872191419364e-11, 2.1571120180557362e-11, -9.058221909800404e-12, 3.866142718172226e-12,
    -1.6752774093773975e-12, 7.362663633903619e-13, -3.2789553074869976e-13, 1.478569386650247e-13,
    -6.745927214382265e-14, 3.1120984438769e-14, -1.450844154823059e-14, 6.831415769257408e-15,
    -3.2472060961491022e-15, 1.557479149504804e-15, -7.534713283134446e-16, 3.6751315436664745e-16,
    -1.8066360517915687e-16, 8.946556132120123e-17, -4.4592730124568516e-17, 2.232019524841178e-17,
    -1.1130654620634245e-17, 5.363983276075608e-18,
)  # fmt: skip
# cosine's part of sqrt(pi) (-x) ** 0.25 Ai(x) (DLMF 9.7), in 2 (z2 / z) ** 2 - 1, x <= -2.1
_AIRY_P: tuple[float, ...] = (
    0.9962448175405865, -0.003555671711467011, 0.0001761648471850856, -1.929567983549767e-05, 3.15563269047769e-06,
    -6.613709201389672e-07, 1.6451315918330913e-07, -4.645452436154408e-08, 1.4475122044805326e-08,
    -4.882130544867078e-09, 1.7579270467884397e-09, -6.688766686510665e-10, 2.6682999153736667e-10,
    -1.1091425440074788e-10, 4.7803009439281345e-11, -2.12757193711424e-11, 9.745884007634728e-12,
    -4.581910869350232e-12, 2.205592950435982e-12, -1.0848511720977e-12, 5.442692147963049e-13,
    -2.7809134702400545e-13, 1.445121408006202e-13, -7.628618227352901e-14, 4.0864997550955336e-14,
    -2.2192676193392065e-14, 1.220818572043299e-14, -6.7973966214864295e-15, 3.8280869774827945e-15,
    -2.1791748985422606e-15, 1.2531882357170316e-15, -7.27622747791137e-16, 4.262856976039586e-16,
    -2.5181005444239627e-16, 1.4979553453630064e-16, -8.951908619301967e-17, 5.3434265600611474e-17,
    -3.1385651530639896e-17, 1.7377125226377665e-17, -7.73101198156529e-18,
)  # fmt: skip
# z times the sine's part of the same
_AIRY_Q: tuple[float, ...] = (
    0.06610064090147308, -0.0030360214166051656, 0.0002596530098300913, -3.8022219305696984e-05, 7.5374028939836e-06,
    -1.8212032589178512e-06, 5.068362753669476e-07, -1.5698401912822976e-07, 5.291063915244124e-08,
    -1.9103970969937978e-08, 7.305399173138688e-09, -2.9333992858354762e-09, 1.2286051712983782e-09,
    -5.339159295191401e-10, 2.397162421308298e-10, -1.10805454213021e-10, 5.257663573905474e-11,
    -2.5545823184321516e-11, 1.2683169707625695e-11, -6.422869313845866e-12, 3.312380215766947e-12,
    -1.7372535851079624e-12, 9.25489980009172e-13, -5.002640168690322e-13, 2.74113422162907e-13,
    -1.5212223371376567e-13, 8.543809259801946e-14, -4.85292897567613e-14, 2.7859555661439654e-14,
    -1.615507362743434e-14, 9.457377171752154e-15, -5.586329166430938e-15, 3.3275427515805636e-15,
    -1.9972483757921258e-15, 1.2064318541110415e-15, -7.314929925124902e-16, 4.4251065063267128e-16,
    -2.6299285601895964e-16, 1.4698617607649805e-16, -6.57979547404273e-17,
)  # fmt: skip
_AIRY_LIMIT = 2.0287927444665215  # z2: 2/3 of 2.1 ** 1.5
# the first zeros of J0 and J1, in two parts
_J0_ZERO = (2.404825557695773, -1.176691651530894e-16)
_J1_ZERO = (3.8317059702075125, -1.526918409008806e-16)


def _near(xp: Any, size: Any, order: int) -> Any:
    """Returns J0 or J1 of values from 0 to 5."""
    t = size * size / 12.5 - 1.0
    zero, rest = _J1_ZERO if order else _J0_ZERO
    product = ((size - zero) - rest) * (size + zero)
    return chebyshev(_J1_NEAR, t) * product * size if order else chebyshev(_J0_NEAR, t) * product


def _far(xp: Any, size: Any, order: int) -> tuple[Any, Any]:
    """Returns the J and the Y of values of at least 5."""
    inverse = 5.0 / size
    t = 2.0 * inverse * inverse - 1.0
    p = chebyshev(_P1 if order else _P0, t)
    q = chebyshev(_Q1 if order else _Q0, t) / size
    sine, cosine = xp.sin(size), xp.cos(size)
    if order:  # of the angle less 3/4 pi; both times the root of 2
        cos_phase, sin_phase = sine - cosine, -sine - cosine
    else:
        cos_phase, sin_phase = sine + cosine, sine - cosine
    scale = 1.0 / xp.sqrt(math.pi * size)
    return scale * (p * cos_phase - q * sin_phase), scale * (p * sin_phase + q * cos_phase)


def _split(xp: Any, a: Any) -> tuple[Any, Any, Any, Any]:
    """Returns the values in float64, their sizes, and these bent into the near and the far region."""
    x = a.astype(xp.float64)
    size = xp.abs(x)
    outer = xp.where(xp.isfinite(size), xp.maximum(size, 5.0), 5.0)
    return x, size, xp.minimum(size, 5.0), outer


def _first_kind(xp: Any, a: Any, order: int) -> Any:
    x, size, inner, outer = _split(xp, a)
    value = xp.where(size <= 5.0, _near(xp, inner, order), _far(xp, outer, order)[0])
    value = xp.where(size == xp.inf, xp.nan, xp.where(x != x, x, value))  # nan at infinity, as in torch
    if order:
        value = xp.where(x < 0, -value, value)
    return value.astype(a.dtype)


def _second_kind(xp: Any, a: Any, order: int) -> Any:
    x, size, inner, outer = _split(xp, a)
    inner = xp.where(x > 0, inner, 1.0)
    t = inner * inner / 12.5 - 1.0
    log = xp.log(inner) * _near(xp, inner, order)
    if order:
        near = chebyshev(_Y1_NEAR, t) * inner + (2 / math.pi) * (log - 1.0 / inner)
    else:
        near = chebyshev(_Y0_NEAR, t) + (2 / math.pi) * log
    value = xp.where(size <= 5.0, near, _far(xp, outer, order)[1])
    value = xp.where(size == xp.inf, xp.nan, xp.where(x != x, x, value))  # nan at infinity, as in torch
    return xp.where(x == 0, -xp.inf, xp.where(x < 0, xp.nan, value)).astype(a.dtype)


@kernel
def _special_bessel_j0(xp: Any, a: Any) -> Any:
    return _first_kind(xp, a, 0)


@kernel
def _special_bessel_j1(xp: Any, a: Any) -> Any:
    return _first_kind(xp, a, 1)


@kernel
def _special_bessel_y0(xp: Any, a: Any) -> Any:
    return _second_kind(xp, a, 0)


@kernel
def _special_bessel_y1(xp: Any, a: Any) -> Any:
    return _second_kind(xp, a, 1)


@kernel
def _special_spherical_bessel_j0(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    square = xp.minimum(x * x, 0.25)
    series = 1.0 - square / 6 * (1.0 - square / 20 * (1.0 - square / 42 * (1.0 - square / 72 * (1.0 - square / 110))))
    finite = xp.where(xp.isfinite(x) & (x != 0), x, 1.0)
    value = xp.where(xp.abs(x) < 0.5, series, xp.sin(finite) / finite)
    return xp.where(xp.abs(x) == xp.inf, 0.0, xp.where(x != x, x, value)).astype(a.dtype)


@kernel
def _special_airy_ai(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    near = chebyshev(_AIRY_NEAR, (xp.clip(x, -2.1, 1.0) + 0.55) / 1.55)
    high = xp.clip(x, 1.0, 120.0)
    z = high * xp.sqrt(high) * (2 / 3)
    decay = (
        chebyshev(_AIRY_DECAY, 4.0 / (3.0 * z) - 1.0) * xp.exp(-z) / (2 * math.sqrt(math.pi) * xp.sqrt(xp.sqrt(high)))
    )
    low = xp.where(xp.isfinite(x), xp.maximum(-x, 2.1), 2.1)
    z = low * xp.sqrt(low) * (2 / 3)
    ratio = _AIRY_LIMIT / z
    t = 2.0 * ratio * ratio - 1.0
    sine, cosine = xp.sin(z), xp.cos(z)  # of z less pi / 4, times the root of 2: sine - cosine and sine + cosine
    p, q = chebyshev(_AIRY_P, t), chebyshev(_AIRY_Q, t) / z
    wave = (p * (sine + cosine) + q * (sine - cosine)) / (math.sqrt(2 * math.pi) * xp.sqrt(xp.sqrt(low)))
    value = xp.where(x < -2.1, wave, xp.where(x <= 1.0, near, decay))
    return xp.where(xp.isfinite(x), value, xp.nan).astype(a.dtype)
