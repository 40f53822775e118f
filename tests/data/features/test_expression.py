import pytest
from data.features.reading import describe

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature

KNOWN = {
    "price": Feature("price", "ad", "number", mean=2.0, std=3.0, log1p=True),
    "income": Feature("income", "user", "number"),
    "band": Feature("band", "ad", "number", bounds=(1.0,)),
    "brand": Feature("brand", "ad", "category"),
}


def expression(*of, text="a / b", entity="candidate"):
    return describe(
        "expression", None, KNOWN, of=of, entity=entity, expression=text
    )


def test_a_formula_knows_the_scales_of_its_numbers():
    feature = expression("price", "income")
    assert feature.expression == "a / b"
    assert feature.scales == ((2.0, 3.0, 1.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize(
    ("of", "text", "entity", "message"),
    [
        ((), "a", "ad", "an expression is of 1 to 8 numbers"),
        (("price",) * 9, "a", "ad", "an expression is of 1 to 8 numbers"),
        (("brand",), "a", "ad", "not in buckets. Received: 'brand', a categ"),
        (("band",), "a", "ad", "not in buckets. Received: 'band', a number"),
        (("none",), "a", "ad", "Received: 'none', which is unknown"),
        (("income",), "a", "ad", "'income', which is of the user"),
        (("price",), "1 + 1", "ad", "'1 \\+ 1' without 'a', 'price'"),
        (
            ("price", "income"),
            "a",
            "candidate",
            "without 'b', 'income', for 'x'. Leave 'income' out of `of`",
        ),
        (("price",), "a / b", "ad", "made of a, numbers, .* Received: 'a / b'"),
        (("price",), "", "ad", "in at most 200 letters. Received: ''"),
        (("price",), 3, "ad", "in at most 200 letters. Received: 3"),
        (("price",), "a" * 201, "ad", "in at most 200 letters"),
        (("price",), "a +", "ad", r"Received: 'a \+'"),
        (("price",), "open(a)", "ad", r"Received: 'open\(a\)'"),
        (("price",), "log(a, a)", "ad", r"Received: 'log\(a, a\)'"),
        (("price",), "a.real", "ad", "Received: 'a.real'"),
        (("price",), "'a'", "ad", "an expression is made of a, numbers"),
    ],
)
def test_bad_expressions(of, text, entity, message):
    with pytest.raises(InputError, match=message):
        expression(*of, text=text, entity=entity)
