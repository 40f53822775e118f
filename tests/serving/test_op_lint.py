"""Ops that a server may not have, found in a SavedModel."""

from tensorflow.core.protobuf import saved_model_pb2

from tests.serving import worlds
from tfadrec.serving.op_lint import foreign_ops


def test_ops_in_the_graph_and_in_functions(tmp_path):
    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add().graph_def
    for op in ("Const", "StatefulPartitionedCall", "own_function", "MyOp"):
        graph.node.add(name=op, op=op)
    function = graph.library.function.add()
    function.signature.name = "own_function"
    for op in (
        "TFText>WordpieceTokenize",
        "UnicodeDecode",
        "StaticRegexReplace",
    ):
        function.node_def.add(name=op, op=op)
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    found = foreign_ops(tmp_path)
    assert list(found) == ["MyOp", "TFText>WordpieceTokenize"]
    assert found["MyOp"].startswith("of no TensorFlow release")
    assert (
        "TensorFlow Serving 2.2 and later" in found["TFText>WordpieceTokenize"]
    )


def test_a_bundle_has_none():
    for name in ("words", "numbers"):
        assert foreign_ops(worlds.bundle(name) / "1") == {}
        readme = (worlds.bundle(name) / "README.md").read_text()
        assert "Ops outside core TensorFlow: none." in readme
