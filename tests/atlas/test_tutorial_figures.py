"""The figures that the tutorials print, as far as they can be checked.

Legendre's run draws nothing. The cubics' start is unknown, but follows from their printed
end. The networks' hundred thousand random numbers, RMSprop's and the dynamic net's are lost.
"""

from __future__ import annotations

import numpy as np
import pytest

import funcnn

# "PyTorch learning notes 5", section 5: the loss at t = 99, 199, …, 1999.
PRINTED = [
    209.95834350585938, 144.66018676757812, 100.70249938964844, 71.03520202636719,
    50.978515625, 37.40313720703125, 28.20686912536621, 21.973186492919922,
    17.745729446411133, 14.877889633178711, 12.931766510009766, 11.610918998718262,
    10.714248657226562, 10.105474472045898, 9.692106246948242, 9.411375045776367,
    9.220745086669922, 9.091285705566406, 9.003361701965332, 8.943639755249023,
]  # fmt: skip


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_legendre_run(dtype, gradient):
    result = funcnn.train("legendre", dtype=dtype, gradient=gradient)
    np.testing.assert_allclose(result.losses[99::100], PRINTED, rtol=1e-5)
    assert result.losses[0] == pytest.approx(461.9026, rel=1e-6)
    assert float(result.params["b"]) == pytest.approx(-2.208526849746704, rel=1e-5)
    assert float(result.params["d"]) == pytest.approx(0.2554861009120941, rel=1e-5)


def test_a_long_cubic_run_ends_at_the_least_squares_floor():
    result = funcnn.train("polynomial", steps=40_000, dtype="float64")
    assert result.losses[-1] == pytest.approx(8.817165410007025, rel=1e-9)


def test_the_defaults_are_the_first_network_of_the_tutorials():
    result = funcnn.train(model="mlp")
    assert {name: value.shape for name, value in result.params.items()} == {
        "w1": (1000, 100),
        "w2": (100, 10),
    }
    assert result.losses.shape == (500,)
    # The tutorials print first losses between 2.6e7 and 4.1e7, and last ones far below 1.
    assert 2e7 < result.losses[0] < 5e7
    assert result.losses[-1] < 0.1


# "PyTorch learning notes 5", sections 2 to 4, 6 and 8: what is printed of a cubic's run from
# unknown random numbers, at t = 99, 199, …, 1999, and the coefficients at its end.
CUBICS = {
    "sine/numpy": (
        [563.8291015751557, 375.83806540034493, 251.52341151625967, 169.31633903652465,
         114.95407957727652, 79.00503300369046, 55.23231027939239, 39.51159649640557,
         29.115566843371823, 22.2406918598557, 17.694326952652982, 14.687792949964951,
         12.699545397441945, 11.384691566299782, 10.51515596801245, 9.940112958440231,
         9.559821495029546, 9.30832244946974, 9.14199655493815, 9.031997888657425],
        [0.0008026128609173351, 0.8425118975937722, -0.00013846407404389141, -0.0913064454528145],
    ),
    "sine/tensor": (
        [1039.5152587890625, 707.0489501953125, 482.3299560546875, 330.28277587890625,
         227.29885864257812, 157.47219848632812, 110.07612609863281, 77.86994171142578,
         55.96104431152344, 41.04032516479492, 30.867229461669922, 23.923267364501953,
         19.177928924560547, 15.93132209777832, 13.707606315612793, 12.182741165161133,
         11.135905265808105, 10.416431427001953, 9.92137622833252, 9.580371856689453],
        [0.023760870099067688, 0.8410876393318176, -0.004099148791283369, -0.09110385179519653],
    ),
    "sine/autograd": (
        [110.25205993652344, 78.43357849121094, 56.650428771972656, 41.72026824951172,
         31.475496292114258, 24.437694549560547, 19.597450256347656, 16.264957427978516,
         13.967991828918457, 12.38306999206543, 11.288278579711914, 10.531269073486328,
         10.007284164428711, 9.644231796264648, 9.39242935180664, 9.21764087677002,
         9.096193313598633, 9.011730194091797, 8.952939987182617, 8.911981582641602],
        [-0.009276128374040127, 0.8526148796081543, 0.0016002863412722945, -0.09274350851774216],
    ),
    "sine/nn": (
        [1616.1385498046875, 1081.325927734375, 724.8551635742188, 487.138671875,
         328.5332946777344, 222.65386962890625, 151.9323272705078, 104.66616821289062,
         73.05643463134766, 51.903411865234375, 37.738162994384766, 28.24566650390625,
         21.879676818847656, 17.607154846191406, 14.73743724822998, 12.808303833007812,
         11.510335922241211, 10.636259078979492, 10.047100067138672, 9.649618148803711],
        [0.018086636438965797, 0.8341416120529175, -0.0031202451791614294, -0.09011583775281906],
    ),
    "sine/module": (
        [1308.099365234375, 910.4903564453125, 635.1412353515625, 444.26885986328125,
         311.8292541503906, 219.847900390625, 155.90786743164062, 111.42127990722656,
         80.44319152832031, 58.854122161865234, 43.796546936035156, 33.28647232055664,
         25.9451961517334, 20.813724517822266, 17.22447967529297, 14.712332725524902,
         12.953007698059082, 11.720170974731445, 10.855795860290527, 10.249417304992676],
        [-0.037933703511953354, 0.8685634732246399, 0.006544196978211403, -0.09501205384731293],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CUBICS)
def test_a_cubic_s_printed_losses_follow_from_its_printed_end(name):
    # A step multiplies the distance to the least squares by I − 2·rate·ΦᵀΦ, so a run can be
    # followed back from its end along the two slow directions; of the two fast ones the end
    # remembers nothing, and the first printed step next to nothing.
    printed, end = CUBICS[name]
    experiment = funcnn.experiments.EXPERIMENTS[name]
    x, y = experiment.data()
    powers = np.stack([x**k for k in range(4)], axis=1)
    lowest = np.linalg.lstsq(powers, y)[0]
    curvature, directions = np.linalg.eigh(powers.T @ powers)
    slow = directions[:, :2]  # the eigenvalues ascend
    shrink = (1 - 2 * experiment.learning_rate * curvature[:2]) ** 1901
    start = lowest + slow @ ((slow.T @ (np.array(end) - lowest)) / shrink)

    result = funcnn.train(
        "polynomial", (x, y), params=dict(zip("abcd", start, strict=True)),
        loss="sum_squared_error", optimizer="sgd", learning_rate=experiment.learning_rate,
        steps=1901, dtype="float64",
    )  # fmt: skip
    # The tutorial rounds at every step and prints its end in the run's own precision.
    rtol, first_rtol = (1e-11, 1e-6) if experiment.dtype == "float64" else (1e-4, 1e-4)
    assert result.losses[0] == pytest.approx(printed[0], rel=first_rtol)
    np.testing.assert_allclose(result.losses[100::100], printed[1:], rtol=rtol)
