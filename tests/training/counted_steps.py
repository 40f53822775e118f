"""Two workers that change the same rows many times; prints what came of it.

Run as a module: a process that has joined a cluster stays in it.
"""

import json
import os
import socket

from tfadrec import optimizers
from tfadrec.core.door import tf
from tfadrec.training import servers

STEPS, LOOPS, ROWS, WIDTH = 50, 10, 6, 8192
#: Of which a step reads some twice; two lie in each part of the table.
READ = [0, 1, 1, 3, 4, 5]


def join() -> tf.distribute.Strategy:
    """A chief, two workers and two parameter servers, all in this process."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
    found = [f"127.0.0.1:{place.getsockname()[1]}" for place in held]
    for place in held:
        place.close()
    cluster = {"chief": found[:1], "worker": found[1:3], "ps": found[3:]}
    # They share the threads of one process, and wait for each other.
    threads = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=16)
    started = [
        tf.distribute.Server(
            cluster, job, index, protocol="grpc", config=threads
        )
        for job in ("worker", "ps")
        for index in range(2)
    ]
    task = {"type": "chief", "index": 0}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    strategy = servers.connected()
    strategy.started = started  # they live as long
    return strategy


def main() -> None:
    """Prints a JSON of the table's least and largest value of each row."""
    strategy = join()
    with strategy.scope():
        table = tf.Variable(tf.zeros([ROWS, WIDTH]), name="table")
        optimizer = optimizers.LazyAdam(1.0, 0.0, 0.0, epsilon=1.0)
        optimizer.build(table.variables)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

    def take_step():
        with tf.GradientTape() as tape:
            read = tf.nn.embedding_lookup(table, tf.constant(READ))
            # Of a row that is read twice the gradient is still 1.
            loss = tf.reduce_sum(
                read * tf.constant([1, 0.5, 0.5, 1, 1, 1])[:, None]
            )
        optimizer.minimize(loss, table.variables, tape)

    @tf.function
    def steps():
        for _ in tf.range(LOOPS):
            strategy.run(take_step)

    for _ in range(STEPS):
        coordinator.schedule(steps)
    coordinator.join()
    values = tf.concat([part.read_value() for part in table.variables], 0)
    print(
        json.dumps(
            {
                "parts": len(table.variables),
                "steps": int(optimizer.iterations),
                "least": tf.reduce_min(values, 1).numpy().tolist(),
                "most": tf.reduce_max(values, 1).numpy().tolist(),
            }
        )
    )


if __name__ == "__main__":
    main()
