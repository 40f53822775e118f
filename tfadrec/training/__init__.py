"""Training: fit a ranker to a dataset, with checkpoints and exact resume."""

from tfadrec.training.build import build_ranker
from tfadrec.training.cross_encoder_run import (
    CrossEncoderRun,
    load_cross_encoder,
    train_cross_encoder,
)
from tfadrec.training.fit import fit
from tfadrec.training.following import FolderSource, Source, follow
from tfadrec.training.grow_retriever import grow_retriever
from tfadrec.training.grow_vocabulary import grow_vocabulary
from tfadrec.training.mix import Mix, mix
from tfadrec.training.pretraining import (
    Pretraining,
    pretrain,
    pretraining_settings,
)
from tfadrec.training.replay import replay
from tfadrec.training.retriever_run import (
    RetrieverRun,
    load_retriever,
    train_retriever,
)
from tfadrec.training.run import (
    Run,
    calibrate,
    calibration_rows,
    load_run,
    train,
)
from tfadrec.training.servers import serve
from tfadrec.training.text import text_model, with_text
from tfadrec.training.update import update
from tfadrec.training.workers import joined

__all__ = [
    "CrossEncoderRun",
    "FolderSource",
    "Mix",
    "Pretraining",
    "RetrieverRun",
    "Run",
    "Source",
    "build_ranker",
    "calibrate",
    "calibration_rows",
    "fit",
    "follow",
    "grow_retriever",
    "grow_vocabulary",
    "joined",
    "load_cross_encoder",
    "load_retriever",
    "load_run",
    "mix",
    "pretrain",
    "pretraining_settings",
    "replay",
    "serve",
    "text_model",
    "train",
    "train_cross_encoder",
    "train_retriever",
    "update",
    "with_text",
]
