"""A log with some of its users, for a dataset that is small and yet fair.

    python benchmarks/sample_users.py examples/online_retail.yaml 0.06 sample

Negatives are drawn by `prepare`. Where users are chosen afterwards, an ad that
they buy often has few negatives among their rows, and its click rate tells the
label. So they are chosen in the log.
"""

import argparse
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", help="of a log that is one Parquet file")
    parser.add_argument("share", type=float, help="of users, in (0, 1)")
    parser.add_argument("out", help="a folder for the file and its settings")
    arguments = parser.parse_args()
    config, out = pathlib.Path(arguments.config), pathlib.Path(arguments.out)
    shown = yaml.safe_load(config.read_text("utf-8"))["impressions"]
    log = pq.read_table(config.parent / shown["file"])
    column = log[shown["user_id"]]
    users = np.sort(column.unique().to_numpy())
    kept = users[np.random.default_rng(0).random(len(users)) < arguments.share]
    out.mkdir(parents=True, exist_ok=True)
    rows = log.filter(pc.is_in(column, value_set=pa.array(kept)))
    pq.write_table(rows, out / shown["file"])
    (out / config.name).write_bytes(config.read_bytes())
    print(f"{len(kept):,} of {len(users):,} users, {len(rows):,} rows")


if __name__ == "__main__":
    main()
