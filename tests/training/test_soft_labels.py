"""Who may learn labels that are half another model's."""

import types

import pytest

from tfadrec.core.errors import InputError
from tfadrec.losses import get
from tfadrec.training.soft_labels import check_learns


@pytest.mark.parametrize(
    ("losses", "row_weights", "message"),
    [
        ({"clicked": "binary"}, {}, None),
        ({"clicked": "binary", "liked": "jrc"}, {"liked": "margin"}, None),
        ({"clicked": "jrc"}, {}, "Received: the loss 'jrc' for it"),
        ({"liked": "binary"}, {}, "Received: the loss None for it"),
        (
            {"clicked": "binary", "liked": "binary"},
            {"clicked": "margin", "liked": "clicked"},
            "weighs no rows. Received: `row_weights` of 'clicked' for 'liked'",
        ),
    ],
)
def test_who_learns_soft_labels(losses, row_weights, message):
    model = types.SimpleNamespace(
        task_losses={task: get(loss) for task, loss in losses.items()},
        row_weights=row_weights,
    )
    if message is None:
        check_learns(model)
    else:
        with pytest.raises(InputError, match=message):
            check_learns(model)
