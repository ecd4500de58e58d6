"""A Ray cluster of this machine, alive as long as its standard input: `python -m benchmarks._ray_nodes [CPUS]`.

It prints the address of its head node, which has one CPU or so many. A line `add` adds a node of as many, a line
`remove` takes the last one away; each is answered with a line once it is done. However its user ends, that end of the
pipe closes, and the cluster with it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

from ray.cluster_utils import Cluster


def main(cpus: int) -> None:
    """Holds the cluster until standard input ends."""
    size: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": 80 * 1024**2}
    cluster: Any = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **size})
    added = []
    try:
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "add":
                added.append(cluster.add_node(**size))
            else:
                cluster.remove_node(added.pop())
            print("done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
