"""The command `wfnb`: try it, see what works and what runs, tidy up."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from wfnb import demo
from wfnb.cabinet import tidy
from wfnb.calibration import calibrate, told
from wfnb.choices import Choices
from wfnb.cli_image import add_image_command
from wfnb.cli_pool import add_pool_command
from wfnb.doctor import examine
from wfnb.errors import WfnbError
from wfnb.session import Session
from wfnb.storage import RunId
from wfnb.storage.outputs import drop_shared_folder, shared_folder
from wfnb.terminal import Progress, Terminal, waited

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "01_tour.ipynb"
FORGOTTEN_SECONDS = 24 * 3600
"""A folder of shared memory that no run of this store owns may be of a run in another store."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    if given[:1] == ["worker"]:
        return int(import_module("wfnb.workers.__main__").main(given) or 0)
    asked = _parser().parse_args(given)
    session = Session(Choices(store=asked.store))
    try:
        code: int = asked.act(session, asked)
    except WfnbError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        session.close()
    return code


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="wfnb", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    demonstrate = _command(commands, "demo", _demo, "run the tour's 198 tasks on this machine")
    demonstrate.add_argument("--no-notebook", action="store_true", help="leave out the HTML page")
    _command(commands, "doctor", _doctor, "try what works here; exit code 1 if something fails")
    _command(commands, "runs", _runs, "list the runs that the store knows")
    collect = _command(commands, "gc", _gc, "drop old runs and what nobody uses any more")
    collect.add_argument("--keep-days", type=float, default=7.0, help="age of runs to keep (7)")
    _command(commands, "calibrate", _calibrate, "measure what this store's transfers take")
    add_pool_command(commands)
    add_image_command(commands)
    commands.add_parser("worker", help="be one worker, in this terminal, for a store elsewhere")
    return root


def _command(commands, name, act, text) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def] # noqa: ANN001
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--store", help="redis://..., unix://...; none: the private Redis")
    parser.set_defaults(act=act)
    return parser


def _demo(session: Session, asked: argparse.Namespace) -> int:
    print("An index of Python's standard library: read, count, merge, rank.\n")
    run = waited(session.start(demo.build()), Progress(Terminal()))
    ranking = run.result()
    print(f"\n{demo.report(ranking)}\n")
    is_right = ranking == demo.expected()
    print(f"same as one plain process computes: {'yes' if is_right else 'NO'}")
    page_is_made = asked.no_notebook or _make_page()
    print("open it live:  make lab   (or: jupyter lab notebooks/01_tour.ipynb)")
    return 0 if is_right and page_is_made else 1


def _make_page() -> bool:
    """The tour's notebook, executed; True also where it cannot be made."""
    if not NOTEBOOK.exists() or find_spec("nbconvert") is None:
        print("no page made: it needs a clone of the project and `pip install wfnb[notebook]`")
        return True
    folder = NOTEBOOK.parent if os.access(NOTEBOOK.parent, os.W_OK) else Path.cwd()
    options = ["--to", "html", "--execute", "--output-dir", str(folder), "--log-level", "ERROR"]
    command = [sys.executable, "-m", "nbconvert", *options, str(NOTEBOOK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"the notebook did not run:\n{done.stderr[-2000:]}", file=sys.stderr)
        return False
    print(f"the executed notebook: {folder / NOTEBOOK.with_suffix('.html').name}")
    return True


def _doctor(session: Session, asked: argparse.Namespace) -> int:
    has_failed = False
    for finding in examine(session):
        print(finding, flush=True)
        has_failed |= finding.grade == "fail"
    return int(has_failed)


def _calibrate(session: Session, asked: argparse.Namespace) -> int:
    reached = session.connection()
    site = calibrate(reached.store, reached.signer, place=reached.backend.ground.place)
    print("\n".join(told(site)))
    return 0


def _runs(session: Session, asked: argparse.Namespace) -> int:
    print(session.runs())
    return 0


def _gc(session: Session, asked: argparse.Namespace) -> int:
    before = time.time() - asked.keep_days * 24 * 3600
    runs = session.runs()
    old = [run for run in runs if run.status != "running" and run.created_seconds < before]
    for run in old:
        session.store.drop(run.id)
        drop_shared_folder(run.id)
        print(f"dropped run {run.id}, {run.status}")
    known = {run.id for run in runs}
    for name in _forgotten_folders(known):
        drop_shared_folder(RunId(name))
        print(f"dropped shared memory of {name}")
    for environment in tidy():
        size = f"{environment.size_bytes / 1e6:,.0f} MB"
        print(
            f"dropped environment {environment.name}, {size}: {', '.join(environment.requirements)}"
        )
    print(f"{len(old)} of {len(runs)} runs dropped: older than {asked.keep_days:g} days")
    return 0


def _forgotten_folders(known: set[RunId]) -> list[str]:
    place = shared_folder(RunId("any")).parent
    if not place.is_dir():
        return []
    oldest = time.time() - FORGOTTEN_SECONDS
    folders = (folder for folder in place.iterdir() if folder.name not in known)
    return sorted(folder.name for folder in folders if folder.stat().st_mtime < oldest)


if __name__ == "__main__":
    sys.exit(main())
