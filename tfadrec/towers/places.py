"""What models ask of towers, and both of an encoder of texts."""

from tfadrec.layers.place import Place

AD_TOWER = Place("towers.AdTower(catalogue)", asks=("encode", "num_fields"))
USER_TOWER = Place(
    "towers.UserTower(encoder, num_event_types=2)",
    asks=("encoder", "share", "tables"),
)
TEXT_ENCODER = Place(
    "layers.BertAdEncoder.from_pretrained(folder)",
    gives=("token_ids", "token_mask"),
    asks=("max_tokens", "vocabulary_size", "width"),
)
JOINT_ENCODER = Place(
    "layers.BertAdEncoder.from_pretrained(folder)",
    gives=("token_ids", "token_mask"),
    asks=("max_tokens", "read_together", "vocabulary_size", "width"),
)
