"""Names of tensors, whatever columns are called."""

from tfadrec.core.names import tensor_names


def test_names_of_events_alone_begin_with_history():
    """So that a request's history is told from what else it holds."""
    given = [
        ("event", "x"),
        ("event", "history_x"),
        ("user", "history_x"),
        ("context", "History_days"),
    ]
    assert tensor_names(given) == [
        "history_x",
        "history_history_x",
        "f_history_x",
        "f_History_days",
    ]
