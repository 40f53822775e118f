"""`examples/gpt2_ranker.py`, the whole way on a tiny world."""

import importlib.util
import pathlib

import pytest

from tfadrec.core.door import tf

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.slow
def test_it_goes_the_whole_way(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(
        "gpt2_ranker", ROOT / "examples" / "gpt2_ranker.py"
    )
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.run(
        None,
        tmp_path,
        pretrain_epochs=2,
        epochs=1,
        num_users=60,
        num_ads=60,
        requests_per_user=10,
    )
    assert list(found) == ["popularity", "id-only DIN", "DIN with GPT-2"]
    told = capsys.readouterr().out
    assert "GPT-2 on 60 texts: perplexity" in told
    assert " 10  0." in told  # the tenth recommendation
    assert (tmp_path / "bundle/1/saved_model.pb").is_file()
    assert tf.saved_model.contains_saved_model(str(tmp_path / "bundle/1"))
