"""The variables that functions read."""

from collections.abc import Iterable

from tfadrec.core.door import tf


def variables_read(
    functions: Iterable[tf.types.experimental.ConcreteFunction],
) -> list[tf.Variable]:
    """Each variable once, in the order in which the functions came to it.

    A graph has its variables in a set, ordered by where they lie in memory;
    what it captures it has in the order of its tracing.
    """
    read: dict[int, tf.Variable] = {}
    for function in functions:
        known = {id(each.handle): each for each in function.graph.variables}
        for handle, _ in function.graph.captures:
            if id(handle) in known:
                read[id(handle)] = known[id(handle)]
    return list(read.values())
