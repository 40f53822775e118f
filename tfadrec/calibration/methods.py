"""The ways to calibrate, by name."""

from tfadrec.calibration.beta import Beta
from tfadrec.calibration.isotonic import Isotonic
from tfadrec.calibration.method import Method
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.temperature import Temperature

METHODS: dict[str, type[Method]] = {
    "platt": Platt,
    "temperature": Temperature,
    "beta": Beta,
    "isotonic": Isotonic,
}
