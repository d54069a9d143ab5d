"""Run a large settled cluster for a minute of virtual time, crash one member, and report time and memory.

    .venv/bin/python tests/simulation/large.py [MEMBERS [SECONDS]]        (default: 10,000 members, 60 seconds)

The members share their records until these differ, so memory is far below MEMBERS × MEMBERS records.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.cluster import Cluster
from simulation.measures import spread_of_crash, spread_of_update


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(size: int, duration_s: float) -> None:
    started, before_mib = time.monotonic(), resident_mib()
    cluster = Cluster(size, seed=1)
    print(f"{size} members built in {time.monotonic() - started:.1f} s")
    update = spread_of_update(cluster, cluster.nodes[0], limit_s=10)
    print(
        f"update: half {update.share(0.5):.2f} s, 99 % {update.share(0.99):.2f} s, last {update.last:.2f} s, "
        f"missed by {update.missing}"
    )
    crash = spread_of_crash(cluster, cluster.nodes[1], limit_s=duration_s)
    print(f"crash: first {crash.first:.1f} s, last {crash.last:.1f} s, missed by {crash.missing}")
    cluster.run_for(max(0.0, duration_s - cluster.now))
    mib = resident_mib() - before_mib
    print(
        f"{cluster.now:.0f} virtual seconds in {time.monotonic() - started:.0f} s, {mib:.0f} MiB "
        f"({1024 * mib / size:.1f} KiB per member), {cluster.counts['packets'] / size / cluster.now:.2f} packets "
        f"per member and second, longest queue {max(cluster.queue_lengths())}, {dict(cluster.counts)}"
    )


if __name__ == "__main__":
    arguments = [float(text) for text in sys.argv[1:]]
    main(int(arguments[0]) if arguments else 10_000, arguments[1] if len(arguments) > 1 else 60.0)
