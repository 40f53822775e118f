"""A signature as a Python function names the input that is wrong."""

import numpy as np
import pytest

from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError


@pytest.fixture(scope="module")
def ask():
    specs = {
        "user_id": tf.TensorSpec([None], tf.string, "user_id"),
        "ages": tf.TensorSpec([None, None], tf.int32, "ages"),
    }

    @tf.function
    def score(**inputs):
        return {"logits": tf.cast(inputs["ages"], tf.float32)}

    signature = score.get_concrete_function(**specs)
    return serving.answers(score, {"score": signature})["score"]


AGES = "`ages` must be int32 [?, ?]"
GOOD = {"user_id": np.array(["u"], object), "ages": [[1, 2]]}


def test_a_good_request(ask):
    assert ask(**GOOD)["logits"].tolist() == [[1, 2]]


_LACKS = 'all inputs must be there, and what is not known is "" or NaN'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ages": None}, f"{_LACKS}. Received: no ages."),
        (
            {"ages": None, "age": 1},
            f"{_LACKS}. Received: no ages. Unknown: age.",
        ),
        (
            {"user_id": ["u", "v"]},
            "all inputs must have the same number of rows. Received: ages 1, "
            "user_id 2.",
        ),
        (
            {"ages": [[1], [1, 2]]},
            f"{AGES}. Received: lists of several lengths.",
        ),
        ({"age": 1}, "inputs are ages, user_id. Received: age."),
        (
            {"allow_brand": [["a"]]},
            "inputs are ages, user_id. Received: allow_brand. What requests "
            "filter by is named at the export, --filter.",
        ),
        ({"ages": [1]}, f"{AGES}. Received: [1]."),
        (
            {"ages": [[0.5]]},
            "`ages` must be int32 [?, ?]. Received: float64 [1, 1].",
        ),
        (
            {"ages": [["x"]]},
            "`ages` must be int32 [?, ?]. Received: str32 [1, 1].",
        ),
        (
            {"user_id": [3]},
            "`user_id` must be string [?]. Received: int64 [1].",
        ),
    ],
)
def test_a_wrong_one(ask, change, message):
    request = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    with pytest.raises(InputError) as error:
        ask(**request)
    assert str(error.value) == message
