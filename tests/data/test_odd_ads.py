"""Values of new ads that no ad of the dataset has."""

from tests.data.test_catalogue import SCHEMA, table, write
from tfadrec.data.odd_ads import odd_ads


def test_what_no_ad_of_the_dataset_has_is_told(tmp_path):
    """Neither what is missing is, nor what is at the ends."""
    known = table(brand=["x", None, "y"], price=[1.0, 12.5, None])
    file = write(tmp_path, brand=["x", "z" * 99, None], price=[0.5, 1e9, 12.5])
    assert odd_ads(file, SCHEMA, known) == [
        f"1 of 3 values of brand no ad of the dataset has, such as {'z' * 40}.",
        "2 of 3 values of price lie outside of the dataset's, 1 to 12.5, such "
        "as 0.5.",
    ]
    same = write(tmp_path, brand=["x", "y", None], price=[1.0, None, 12.5])
    assert odd_ads(same, SCHEMA, known) == []
    unpriced = table(brand=["x", "y", "y"], price=[None, None, None])
    assert odd_ads(same, SCHEMA, unpriced) == []
