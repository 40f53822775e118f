"""Language models that read ad copy: token ids in, ad vectors out."""

from tfadrec.layers.text.bert_ad_encoder import BertAdEncoder

__all__ = ["BertAdEncoder"]
