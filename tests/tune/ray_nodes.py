"""A Ray cluster of this machine, alive as long as its standard input: `python ray_nodes.py`.

It prints the address of its head node, which has one CPU. A line `add` adds a node of one more, a line `remove` takes the
last one away; each is answered with a line once it is done. However the tests end, their end of the pipe closes, and the
cluster with it.
"""

from __future__ import annotations

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

from ray.cluster_utils import Cluster

_SIZE = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **_SIZE})
    added = []
    try:
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "add":
                added.append(cluster.add_node(**_SIZE))
            else:
                cluster.remove_node(added.pop())
            print("done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
