"""What ads of a file have that no ad of a dataset has."""

import pathlib

import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import read_ads
from tfadrec.data.features import with_columns


def odd_ads(
    path: str | pathlib.Path, schema: Schema, known: pa.Table
) -> list[str]:
    """Tells of new ads whose values a ranker has not seen.

    These are categories that no ad of the dataset has, and numbers below or
    above those of all of them. They may be right: a new brand, a dear ad.

    Args:
      path: a file of ads, see `read_catalogue`.
      schema: the dataset's.
      known: its `ads.parquet`.

    Returns:
      A sentence for each column that has such values.

    Raises:
      InputError: where the file cannot be read.
    """
    ads = read_ads(path, schema)
    told = []
    for feature in with_columns(schema.of("ad")):
        new, old = (table[feature.column] for table in (ads, known))
        if feature.kind == "category":
            other = new.filter(pc.invert(pc.is_in(new, old.unique())))
            other, what = other.drop_null(), "no ad of the dataset has"
        elif feature.kind == "number":
            ends = pc.min_max(old).as_py()
            if ends["min"] is None:
                continue
            least, most = ends["min"], ends["max"]
            is_odd = pc.or_(pc.less(new, least), pc.greater(new, most))
            other = new.filter(is_odd)
            what = f"lie outside of the dataset's, {least:g} to {most:g}"
        else:
            continue
        if len(other):
            told.append(
                f"{len(other):,} of {len(new):,} values of {feature.name} "
                f"{what}, such as {str(other[0].as_py())[:40]}."
            )
    return told
