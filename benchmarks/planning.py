"""Plans against plans: `python -m benchmarks.planning --workflows DIR [--saga VENV]`.

Part 1: makespans in the model of list schedulers, with a shared store by the simulator, and really
run; part 3: how long planning takes. (Part 2, prediction, is another program's.)
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.campaign import say
from benchmarks.contestants import REPOSITORY
from benchmarks.planning_cases import read, workflows
from benchmarks.planning_peer import Peer
from benchmarks.planning_real import compared
from benchmarks.planning_scores import Scores, classical, shared
from benchmarks.planning_times import planning_seconds

FOLDER = REPOSITORY.parent / "shared" / "workflows"
PARTS = ("classical", "shared", "real", "times")
RATES = (10e6, 125e6)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--workflows", type=Path, default=FOLDER, help="recorded instances")
    parser.add_argument("--saga", type=Path, help="the peer's venv; made if it is not there")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated, of these")
    parser.add_argument("--only", default="", help="comma-separated words of instances' names")
    parser.add_argument("--most-tasks", type=int, default=1000)
    parser.add_argument("--most-real-tasks", type=int, default=110, help="of those that really run")
    parser.add_argument("--rounds", type=int, default=3, help="of real runs")
    parser.add_argument("--saga-limit-s", type=int, default=60, help="for each plan of the peer")
    parser.add_argument("--hash-seeds", default="0,1,2", help="the peer's plans differ with them")
    parser.add_argument("--budget-s", type=float, help="for auto's search; by the run's length")
    parser.add_argument("--sizes", default="1000,10000,100000", help="graphs to time planners with")
    return parser.parse_args()


def peer_of(options: argparse.Namespace) -> Peer | None:
    if options.saga is None:
        say("no --saga VENV: ratios are over the lower bound, and nobody is compared with")
        return None
    seeds = [int(seed) for seed in options.hash_seeds.split(",")]
    return Peer.at(options.saga.absolute(), limit_seconds=options.saga_limit_s, seeds=seeds)


def score(options: argparse.Namespace, parts: list[str]) -> dict[str, Scores]:
    """One workflow after the other, the smallest first."""
    scores: dict[str, Scores] = {}
    peer, only = peer_of(options), [word for word in options.only.split(",") if word]
    for path in workflows(options.workflows, only=only, most_tasks=options.most_tasks):
        workflow = read(path)
        if "classical" in parts:
            title = (
                f"Over the best of SAGA's plans{'' if peer else ' (none: over the lower bound)'}"
            )
            row = classical(workflow, peer)
            say(f"{workflow.name}: {scores.setdefault(title, Scores()).add(workflow.name, row)}")
        for rate in RATES:
            megabytes = f"{rate / 1e6:g} MB/s"
            if "shared" in parts:
                title = f"A store of {megabytes}, simulated: times longer than auto's plan"
                row = shared(workflow, rate, peer, budget_seconds=options.budget_s)
                say(f"{workflow.name}, {megabytes}: {row}")
                scores.setdefault(title, Scores()).add(workflow.name, row)
            if "real" in parts and len(workflow.graph) <= options.most_real_tasks:
                title = f"A store of {megabytes}, really run"
                real = compared(path, rate, peer, rounds=options.rounds)
                say(f"{workflow.name}, {megabytes}, really: {real}")
                if real is not None:
                    scores.setdefault(title, Scores()).add(workflow.name, real)
    return scores


def timed(options: argparse.Namespace) -> Scores:
    sizes = [int(size) for size in options.sizes.split(",")]
    return Scores(dict(planning_seconds(sizes, limit_seconds=10.0)))


def private_folders(home: Path) -> None:
    for name in ("STATE_HOME", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME", "RUNTIME_DIR"):
        folder = home / name.lower()
        folder.mkdir(mode=0o700)
        os.environ[f"XDG_{name}"] = str(folder)


def main() -> int:
    options = arguments()
    parts = [part for part in PARTS if part in options.parts.split(",")]
    if not (options.workflows / "manifest.csv").exists():
        say(f"no recorded workflows in {options.workflows}: give --workflows DIR")
        parts = [part for part in parts if part == "times"]
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = Path(tempfile.mkdtemp(prefix="wfnb-", dir="/tmp"))
    private_folders(home)
    load = os.getloadavg()[0]
    try:
        scores = score(options, parts) if parts != ["times"] else {}
        if "times" in parts:
            scores["Planning, CPU seconds"] = timed(options)
    finally:
        processes.end_descendants()
        shutil.rmtree(home, ignore_errors=True)
    print(
        f"\n{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load average before "
        f"{load:.1f}. SAGA had {options.saga_limit_s} s for a plan: more is told above."
    )
    for title, its in scores.items():
        print(f"\n### {title}\n\n{its.table()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
