#!/usr/bin/env python3
"""More than one replica or node, tried on this machine: autoscaling under load, a sweep over two nodes of Ray.

    bench/serving/cluster.py [--only scale,sweep] [--seconds 60] [--json FILE]

"scale": sixteen clients ask a server of one replica that may become two; printed are when the second one came,
answers a second before and after, and whether every answer was right. "sweep": `pbatch sweep --ray` over two
nodes of one CPU each, compared row by row with the same sweep of one process. Needs what faults.py needs.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from faults import Load, Network, Server, seen


def scale(folder, args):
    net = Network(folder, 1)
    server = Server(folder, net.path, max_replicas=2, max_batch=1, target_ms=50)
    try:
        with Load(server.port, [net], clients=16) as load:
            begin, came, rows = time.monotonic(), None, []
            while time.monotonic() < begin + args.seconds:
                time.sleep(1)
                at = time.monotonic() - begin
                rows.append((round(at, 1), sum(load.counts.values()), len(server.replicas())))
                if rows[-1][2] == 2 and came is None:
                    came = at
        said = seen(load, f"two replicas after {came:.0f} s" if came else "one replica stayed alone")
        said["seconds_answers_replicas"] = rows
        return said
    finally:
        server.stop()


def sweep(folder, _):
    import ray
    from ray.cluster_utils import Cluster

    net = Network(folder, 1)
    command = [sys.executable, "-m", "pbatch", "sweep", net.path, "--bits", "1:8", "--abits", "8",
               "--threads", "1"]  # fmt: skip
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        begin = time.monotonic()
        subprocess.run([*command, "--ray", "--ray-address", cluster.address, "--json", f"{folder}/two.json"],
                       check=True)  # fmt: skip
        taken = time.monotonic() - begin
        ray.init(cluster.address, log_to_driver=False)
        nodes = len([n for n in ray.nodes() if n["Alive"]])
        ray.shutdown()
    finally:
        cluster.shutdown()
    subprocess.run([*command, "--json", f"{folder}/one.json", "-o", f"{folder}/page.html"], check=True)
    two, one = (json.loads(pathlib.Path(f"{folder}/{n}.json").read_text()) for n in ("two", "one"))
    rows = {r["weight_bits"]: r for r in one["results"]}
    same = all(r.get("rel_error") == rows[r["weight_bits"]].get("rel_error") for r in two["results"])
    used = {r.get("node") for r in two["results"]}
    return {"seen": f"{nodes} nodes, {len(used)} did work, {len(two['results'])} rows, errors "
                    f"{'the same' if same else 'NOT the same'} as of one process",
            "seconds": round(taken, 1)}  # fmt: skip


PARTS = {"scale": scale, "sweep": sweep}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60, help="of load")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    said = {}
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix=f"pbatch-{name}-") as folder:
            said[name] = PARTS[name](folder, args)
        print(name, json.dumps(said[name]), flush=True)
    said["load"] = os.getloadavg()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(said, indent=2))


if __name__ == "__main__":
    main()
