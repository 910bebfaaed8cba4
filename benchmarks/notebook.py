"""Measure the dashboard in a real browser: `python -m benchmarks.notebook [--rounds 3]`."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import noise, processes
from benchmarks.campaign import say
from benchmarks.notebook_budgets import Figures, table
from benchmarks.notebook_cases import CASES, Case, Measured
from benchmarks.notebook_page import Place, use_private_folders
from tests.browser.jupyter import CHROMIUM, JupyterServer

MOST_FOREIGN = 0.2
"""Cores that others may use when a case begins."""


def arguments() -> argparse.Namespace:
    names = ",".join(case.__name__ for case in CASES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebook", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=names, help="comma-separated, of these")
    parser.add_argument("--quiet-budget-s", type=float, default=120, help="wait for quiet, in all")
    return parser.parse_args()


@contextmanager
def opened(home: Path) -> Iterator[Place]:
    path = shutil.which("chromium")
    if path is None:
        sys.exit("there is no chromium here: nothing was measured")
    playwright = importlib.import_module("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(CHROMIUM))
        server = JupyterServer(home)
        try:
            yield Place(server, browser, home)
        finally:
            server.close()
            browser.close()


def measure(place: Place, options: argparse.Namespace) -> tuple[Figures, list[float]]:
    """Round by round, so that a disturbance meets all cases alike."""
    figures, foreign, patience = Figures(), [], options.quiet_budget_s
    wanted = [case for case in CASES if case.__name__ in options.cases.split(",")]
    for number in range(1, options.rounds + 1):
        for case in wanted:
            patience -= noise.wait_for_quiet(MOST_FOREIGN, budget_seconds=patience)
            with noise.ForeignLoad() as load:
                measured = once(case, place, figures)
            foreign.append(load.cores)
            shown = ", ".join(f"{key} {value:.3g}" for key, value in measured.items())
            say(f"round {number}, {case.__name__}, others {load.cores} cores: {shown}")
    figures.add({"warnings": place.warnings()})
    return figures, foreign


def once(case: Case, place: Place, figures: Figures) -> Measured:
    try:
        measured = case(place)
    except Exception as error:  # noqa: BLE001  a case's failure is a line of the table
        traceback.print_exc()
        figures.lack(CASES[case], f"{type(error).__name__}: {str(error).splitlines()[0]}")
        return {}
    figures.add(measured)
    return measured


def main() -> int:
    options = arguments()
    noise.mark_environment()
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A unix socket's path has at most 100 bytes.
    home = Path(tempfile.mkdtemp(prefix="wfnb-", dir="/tmp"))
    use_private_folders(home)
    load = os.getloadavg()[0]
    try:
        with opened(home) as place:
            figures, foreign = measure(place, options)
    finally:
        processes.end_descendants()
        shutil.rmtree(home, ignore_errors=True)
    print(
        f"\n{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, for kernel, workers, Redis, "
        f"server and browser alike; load average {load:.1f} before; other programs used "
        f"{min(foreign):g} to {max(foreign):g} cores; medians of {options.rounds} rounds.\n"
    )
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
