"""The public API: a new export is a reviewed change of this list."""

import importlib
import pathlib
import types

import pytest

import tfadrec

PUBLIC = {
    "tfadrec": [
        "__version__",
        "core",
        "data",
        "evaluation",
        "layers",
        "losses",
        "metrics",
        "models",
        "ops",
        "optimizers",
        "serving",
        "towers",
        "training",
        "tuning",
    ],
    "tfadrec.data": [
        "Catalogue",
        "Dataset",
        "EventLog",
        "Impressions",
        "Tokenizer",
        "Tokens",
        "ad_text",
        "clean_text",
        "encode_catalogue",
        "encode_text",
        "join_datasets",
        "load",
        "lower_layers",
        "open_dataset",
        "read_catalogue",
        "split_by_time",
        "text_vectors",
        "tokenize",
    ],
    "tfadrec.data.features": [
        "KINDS",
        "Columns",
        "Feature",
        "Kind",
        "decode",
        "encode",
        "missing_like",
        "with_columns",
    ],
    "tfadrec.data.sources": [
        "prepare_mind",
        "prepare_movielens_100k",
        "prepare_synthetic",
        "prepare_table",
    ],
    "tfadrec.cli": ["main"],
    "tfadrec.evaluation": [
        "Evaluation",
        "ReliabilityBin",
        "compare",
        "evaluate",
        "evaluate_baselines",
        "measure",
        "replay_line",
        "replay_sums",
        "replay_table",
        "rows_facts",
        "rows_line",
        "standings",
        "verdicts",
        "write_report",
    ],
    "tfadrec.evaluation.baselines": [
        "BASELINES",
        "Baseline",
        "Constant",
        "LogisticRegression",
        "Popularity",
        "SmoothedRate",
        "TextCosine",
    ],
    "tfadrec.layers": [
        "BST",
        "CIN",
        "DIEN",
        "DIN",
        "ETA",
        "FM",
        "GDCN",
        "GRU",
        "HSTU",
        "LSTM",
        "PLE",
        "SDIM",
        "SIM",
        "AttentionMatching",
        "AutoInt",
        "BertAdEncoder",
        "BilinearMatching",
        "CTRHead",
        "CosineMatching",
        "CrossNetwork",
        "Dice",
        "DotInteraction",
        "Dropout",
        "FeatureFields",
        "FinalMLP",
        "GPT2AdEncoder",
        "IdEmbedding",
        "LateInteractionMatching",
        "MMoE",
        "MaskNet",
        "MultiInterest",
        "T5AdEncoder",
        "TargetAttention",
        "TextMatching",
        "TextSpace",
        "Transformer",
    ],
    "tfadrec.layers.behavior": [
        "BST",
        "DIEN",
        "DIN",
        "ETA",
        "GRU",
        "HSTU",
        "LSTM",
        "SDIM",
        "SIM",
        "MultiInterest",
        "TargetAttention",
        "Transformer",
    ],
    "tfadrec.layers.features": ["FeatureFields"],
    "tfadrec.layers.interaction": [
        "CIN",
        "FM",
        "GDCN",
        "AutoInt",
        "CTRHead",
        "CrossNetwork",
        "DotInteraction",
        "FinalMLP",
        "MaskNet",
    ],
    "tfadrec.layers.matching": [
        "AttentionMatching",
        "BilinearMatching",
        "CosineMatching",
        "LateInteractionMatching",
    ],
    "tfadrec.layers.multitask": ["PLE", "MMoE"],
    "tfadrec.layers.text": [
        "AdEncoder",
        "BertAdEncoder",
        "GPT2AdEncoder",
        "T5AdEncoder",
        "adapter",
        "load_encoder",
        "lora",
        "make_encoder",
        "prefix",
        "top_layers",
    ],
    "tfadrec.layers.text.architectures": [
        "GPT2",
        "T5",
        "Architecture",
        "Bert",
    ],
    "tfadrec.layers.text.tuning": [
        "CLASSES",
        "Adapter",
        "LoRA",
        "Prefix",
        "TopLayers",
        "Tuning",
        "adapter",
        "as_tuning",
        "lora",
        "prefix",
        "top_layers",
        "tuning_config",
    ],
    "tfadrec.layers.text_matching": ["TextMatching", "TextSpace"],
    "tfadrec.losses": [
        "JRC",
        "BinaryCrossEntropy",
        "Huber",
        "InBatchInfoNCE",
        "LambdaLoss",
        "RankNet",
        "SoftmaxCrossEntropy",
        "SquaredError",
        "SumOfLosses",
        "TaskLoss",
        "ZeroInflatedLogNormal",
        "get",
    ],
    "tfadrec.metrics": [
        "AUC",
        "MRR",
        "NDCG",
        "RequestAUC",
        "from_name",
        "ranking",
    ],
    "tfadrec.models": [
        "AdRanker",
        "ContrastiveModel",
        "LanguageModel",
        "RankingModel",
        "dataset_sizes",
    ],
    "tfadrec.optimizers": [
        "CompositeOptimizer",
        "LazyAdam",
        "WarmUp",
        "layerwise_decay",
    ],
    "tfadrec.serving": [
        "Client",
        "RankingService",
        "answers",
        "check_servable",
        "export_bundle",
        "open_bundle",
        "recommend",
        "replay",
        "request_for_user",
        "to_examples",
        "with_candidates",
    ],
    "tfadrec.serving.preview": ["serve"],
    "tfadrec.serving.readers": [
        "READERS",
        "Reader",
        "as_leading",
        "readers_of",
    ],
    "tfadrec.towers": ["AdTower", "UserTower"],
    "tfadrec.tuning": [
        "AdRankerHyperModel",
        "BayesianOptimization",
        "Budget",
        "GridSearch",
        "HyperModel",
        "HyperParameters",
        "Hyperband",
        "Leaderboard",
        "Objective",
        "RandomSearch",
        "Search",
        "SearchSpace",
        "tune",
    ],
    "tfadrec.training": [
        "Pretraining",
        "Run",
        "build_ranker",
        "fit",
        "grow_vocabulary",
        "load_run",
        "pretrain",
        "pretraining_settings",
        "replay",
        "text_model",
        "train",
        "update",
        "with_text",
    ],
    "tfadrec.training.pretraining": [
        "Pretraining",
        "pretrain",
        "pretraining_settings",
    ],
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names(name):
    module = importlib.import_module(name)
    assert list(module.__all__) == PUBLIC[name]
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_every_package_with_a_list_is_here():
    root = pathlib.Path(tfadrec.__file__).parent
    with_a_list = {
        ".".join(("tfadrec", *path.relative_to(root).parent.parts))
        for path in root.rglob("__init__.py")
        if "__all__" in path.read_text("utf-8")
    }
    assert with_a_list == set(PUBLIC)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        tfadrec.nonsense  # noqa: B018


def test_subpackages_are_found_and_listed():
    assert isinstance(tfadrec.towers, types.ModuleType)
    assert set(tfadrec.__all__) == set(dir(tfadrec))
