#!/usr/bin/env bash
# Trains one model with several workers on this machine, each a process:
#
#   examples/cluster.sh 2 --data data/ml --out runs/two
#
# The first number is that of the workers; the rest are arguments of `tfadrec
# train`. What worker 0 says is shown, what the others say is in a file each,
# whose names are told. Where one of them fails, all end, and the same command
# goes on from the last epoch. On machines of a cluster, set TF_CONFIG likewise.
set -euo pipefail

count=${1:?how many workers}
shift
logs=$(mktemp -d)
ports=$(python - "$count" <<'PY'
import socket
import sys

held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(place.getsockname()[1] for place in held))
PY
)
addresses=$(printf '"127.0.0.1:%s",' $ports)
# A process that waits for another one does not hear a milder signal.
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; wait || true' EXIT

for ((index = count - 1; index >= 0; index--)); do
  TF_CONFIG="{\"cluster\": {\"worker\": [${addresses%,}]},
    \"task\": {\"type\": \"worker\", \"index\": $index}}"
  export TF_CONFIG
  if [ "$index" -gt 0 ]; then
    tfadrec train "$@" >"$logs/worker-$index.log" 2>&1 &
    echo "worker $index: process $!, log $logs/worker-$index.log"
  else
    tfadrec train "$@" &
  fi
done
# The first that fails ends all.
for ((index = 0; index < count; index++)); do wait -n; done
