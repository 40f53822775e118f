"""`tfadrec`: the group of all commands."""

import click

from tfadrec import __version__
from tfadrec.cli.apply_delta import apply_delta
from tfadrec.cli.calibrate import calibrate
from tfadrec.cli.doctor import doctor
from tfadrec.cli.encode_ads import encode_ads
from tfadrec.cli.evaluate import evaluate
from tfadrec.cli.explain import explain
from tfadrec.cli.export import export
from tfadrec.cli.index import index
from tfadrec.cli.monitor import monitor
from tfadrec.cli.prepare import prepare
from tfadrec.cli.pretrain import pretrain
from tfadrec.cli.promote import promote
from tfadrec.cli.quickstart import quickstart
from tfadrec.cli.recommend import recommend
from tfadrec.cli.replay import replay
from tfadrec.cli.rollback import rollback
from tfadrec.cli.serve import serve
from tfadrec.cli.train import train
from tfadrec.cli.tune import tune
from tfadrec.cli.update import update


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfadrec")
def main() -> None:
    """Rank ads by what they say and what people do.

    \b
    Begin with
      tfadrec quickstart
    or take the steps one by one:
      tfadrec prepare movielens-100k --out data/ml
      tfadrec pretrain --data data/ml --from minilm --out runs/mlm
      tfadrec train --data data/ml --config examples/din_bert.yaml --out runs/a
      tfadrec tune --data data/ml --out sweeps/a
      tfadrec calibrate runs/a
      tfadrec evaluate runs/a
      tfadrec explain runs/a
      tfadrec update runs/a --data data/tuesday --out runs/b
      tfadrec export runs/a --out saved_models/a
      tfadrec index saved_models/a --add new.parquet --data data/ml
      tfadrec recommend runs/a --user 42
      tfadrec serve saved_models/a
      tfadrec monitor saved_models/a --requests log.jsonl

    Exit codes: 0 done, 1 the work failed, 2 the call or its input was wrong;
    of calibrate, doctor, evaluate and monitor also 3 for a bad answer, and 4
    for too few rows to tell.
    """


for command in (
    quickstart,
    prepare,
    encode_ads,
    pretrain,
    train,
    update,
    replay,
    tune,
    doctor,
    calibrate,
    evaluate,
    explain,
    export,
    index,
    apply_delta,
    promote,
    rollback,
    recommend,
    serve,
    monitor,
):
    main.add_command(command)
