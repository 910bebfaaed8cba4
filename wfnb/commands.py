"""The words of `%wf`: its commands, their arguments, and what Tab may complete."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import NoReturn

from wfnb.graph import Task
from wfnb.planners import PLANNERS
from wfnb.runner import Run
from wfnb.session import BACKENDS, Session

HELP = """\
%wf connect [STORE]     use this Redis (none: a private one), this --backend, so many --workers
%wf show [NAME]         draw a task, a run, a graph; none: all that your cells have named
%wf run [NAME ...]      run these tasks, or all, and wait; --into VARIABLE keeps the values
%wf errors [RUN]        what failed in the last run, or in this one
%wf log TASK            what a task of the last run printed
%wf runs                the runs that the store knows
%wf attach RUN          come back to a run, by its id
%wf cancel [RUN]        stop the last run, or this one
%wf resume [RUN]        run what is missing of the last run, or of this one
%wf drop NAME           leave this name out when all are shown or run
%wf doctor              what works here, and remedies
%wf COMMAND --help      more about one of them
"""


class UsageFault(Exception):  # noqa: N818  it never leaves the magics
    """The line makes no sense; the message says why."""


class Parser(argparse.ArgumentParser):
    """Complains by exception, where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageFault(f"{message}; %wf alone lists the commands")


def parser() -> Parser:
    root = Parser(prog="%wf", add_help=False)
    commands = root.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    connect = commands.add_parser("connect", description="Use a store and a backend from now on.")
    connect.add_argument("store", nargs="?", help="redis://..., unix://...; none: a private Redis")
    connect.add_argument("--backend", default="process", choices=sorted(BACKENDS))
    connect.add_argument("--workers", type=int, help="at most so many work on a run at once")
    show = commands.add_parser("show", description="Draw a task, graph, plan, run or the draft.")
    show.add_argument("name", nargs="?", help="a variable, or any expression without spaces")
    run = commands.add_parser("run", description="Plan, run and wait; press stop to wait no more.")
    run.add_argument(
        "names",
        nargs="*",
        help="variables that hold tasks; none: the draft, all that your cells have named",
    )
    run.add_argument("--timeout", type=float, help="wait at most so many seconds; the run goes on")
    run.add_argument("--backend", choices=sorted(BACKENDS))
    run.add_argument("--planner", choices=sorted(PLANNERS))
    run.add_argument("--into", metavar="VARIABLE", help="put the values there")
    for name, text in _OF_A_RUN.items():
        commands.add_parser(name, description=text).add_argument("run", nargs="?")
    commands.add_parser("attach", description="Come back to a run.").add_argument("run")
    log = commands.add_parser("log", description="What a task of the last run printed.")
    log.add_argument("task")
    log.add_argument("--run", help="of this run instead of the last")
    log.add_argument("--attempt", type=int, help="of this attempt instead of the last")
    drop = commands.add_parser("drop", description="Forget a name of the draft.")
    drop.add_argument("name")
    commands.add_parser("runs", description="List the runs that the store knows.")
    commands.add_parser("doctor", description="Try what works here.")
    return root


_OF_A_RUN = {
    "errors": "What failed in a run: every attempt, with your own frames.",
    "cancel": "Stop a run; its running tasks end within a second.",
    "resume": "Run what is missing of a run that ended badly.",
}
COMMANDS = (
    "attach cancel connect doctor drop errors log resume run runs show".split()  # noqa: SIM905
)
_OPTIONS = {
    "connect": ["--backend", "--workers"],
    "run": ["--timeout", "--backend", "--planner", "--into"],
    "log": ["--run", "--attempt"],
}


def words_of(line: str) -> list[str]:
    """The first is a command; none at all when help is asked for."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageFault(f"{error}: close the quotes") from None
    if not words or words[0] in ("help", "-h", "--help"):
        return []
    if words[0] not in COMMANDS:
        near = get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean %wf {near[0]}? " if near else ""
        raise UsageFault(f"no command is named {words[0]}: {hint}%wf alone lists the commands")
    return words


def completions(line: str, names: Mapping[str, object], session: Session) -> list[str]:
    """What may stand where a line ends; `names` are the notebook's variables."""
    words = line.split()
    begun = "" if line.endswith(" ") or len(words) < 2 else words[-1]
    before = words[1:-1] if begun else words[1:]
    found = COMMANDS if not before else _arguments(before, begun, names, session)
    return sorted(word for word in set(found) if word.startswith(begun))


def _arguments(
    before: list[str], begun: str, names: Mapping[str, object], session: Session
) -> list[str]:
    command, last = before[0], before[-1]
    values: dict[str, Callable[[], list[str]]] = {
        "--backend": lambda: list(BACKENDS),
        "--planner": lambda: list(PLANNERS),
        "--run": lambda: _runs(names, session),
    }
    if last in values:
        return values[last]()
    if begun.startswith("-"):
        return _OPTIONS.get(command, [])
    if command in ("show", "run"):
        kinds = (Task, Run) if command == "show" else (Task,)
        return [name for name, value in names.items() if isinstance(value, kinds)]
    if command == "log":
        return list(session.last.graph.ids) if session.last else []
    if command == "drop":
        return list(session.draft.names)
    return _runs(names, session) if command in (*_OF_A_RUN, "attach") else []


def _runs(names: Mapping[str, object], session: Session) -> list[str]:
    """Nobody wants Tab to start a server: ids only once there is a connection."""
    held = [name for name, value in names.items() if isinstance(value, Run)]
    return [*held, *session.known_runs()]
