"""From log files to batches: sources, datasets, catalogue, histories."""

from tfadrec.data.catalogue import Catalogue, read_catalogue
from tfadrec.data.copy.clean_text import clean_text
from tfadrec.data.copy.encode_catalogue import encode_catalogue
from tfadrec.data.copy.lower_layers import lower_layers
from tfadrec.data.copy.text_vectors import encode_text, text_vectors
from tfadrec.data.copy.tokenize import tokenize
from tfadrec.data.copy.tokenizer import Tokenizer, ad_text
from tfadrec.data.dataset import Dataset
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.intake.join_datasets import join_datasets
from tfadrec.data.load import load
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.read_ad_ids import read_ad_ids
from tfadrec.data.split import split_by_time
from tfadrec.data.tokens import Tokens
from tfadrec.data.with_expiry import with_expiry

__all__ = [
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
    "read_ad_ids",
    "read_catalogue",
    "split_by_time",
    "text_vectors",
    "tokenize",
    "with_expiry",
]
