#!/usr/bin/env bash
# Trains one model with several workers on this machine, each a process:
#
#   examples/cluster.sh 2 --data data/ml --out runs/two
#   examples/cluster.sh 2+1 --data data/ml --out runs/two
#
# The first number is that of the workers, and after a plus that of parameter
# servers, which a chief then stands before; the rest are arguments of `tfadrec
# train`. What the first process says is shown, what the others say is in a file
# each, whose names are told. Where one of them fails all end, but for a worker
# of parameter servers, whose work others do; the same command goes on from the
# last epoch. On machines of a cluster, set TF_CONFIG likewise.
set -euo pipefail

count=${1:?how many workers, or how many and how many parameter servers}
shift
tasks=()
for ((index = 0; index < ${count%+*}; index++)); do tasks+=("worker $index"); done
if [[ $count == *+* ]]; then
  tasks=("chief 0" "${tasks[@]}")
  for ((index = 0; index < ${count#*+}; index++)); do tasks+=("ps $index"); done
fi
logs=$(mktemp -d)
cluster=$(python - "${tasks[@]}" <<'PY'
import json
import socket
import sys

held, cluster = [], {}
for task in sys.argv[1:]:
    held.append(socket.create_server(("127.0.0.1", 0)))
    address = f"127.0.0.1:{held[-1].getsockname()[1]}"
    cluster.setdefault(task.split()[0], []).append(address)
print(json.dumps(cluster))
PY
)
# A process that waits for another one does not hear a milder signal.
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; wait || true' EXIT

for ((place = ${#tasks[@]} - 1; place >= 0; place--)); do
  read -r job index <<<"${tasks[place]}"
  TF_CONFIG="{\"cluster\": $cluster,
    \"task\": {\"type\": \"$job\", \"index\": $index}}"
  export TF_CONFIG
  if [ "$place" -gt 0 ]; then
    tfadrec train "$@" >"$logs/$job-$index.log" 2>&1 &
    echo "$job $index: process $!, log $logs/$job-$index.log"
  else
    tfadrec train "$@" &
  fi
done
if [[ $count == *+* ]]; then
  wait $! # for the chief, which knows when others fail
  wait    # for the others, which know when it has gone
else
  # The first that fails ends all.
  for _ in "${tasks[@]}"; do wait -n; done
fi
