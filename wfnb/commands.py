"""The words of `%wf`: its commands, their arguments, and what Tab may complete."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any, NoReturn

from wfnb.choices import BACKENDS, Choices
from wfnb.graph import PartOf, Task
from wfnb.planners import PLANNERS
from wfnb.resources import Resources
from wfnb.runner import Run
from wfnb.session import Session

HELP = """\
%wf connect [STORE]     use this Redis (none: a private one); --backend docker: containers
%%task [NAME]           make the cell below it a task; %%task? tells its options
%wf show [NAME]         draw a task, a run, a graph; none: all that your cells have named
%wf build               build tasks by hand, in a form; it writes the cell for you
%wf plan [PLANNER]      where each task would run, by this planner; nothing runs
%wf compare [NAME ...]  what every planner would make of it: time, cost, bytes; nothing runs
%wf run [NAME ...]      run these cells or tasks, or all, and wait; --fresh computes all anew
%wf errors [RUN]        what failed in the last run, or in this one
%wf log TASK            what a task of the last run printed
%wf runs                the runs that the store knows
%wf attach RUN          come back to a run, by its id
%wf cancel [RUN]        stop the last run, or this one
%wf resume [RUN]        run what is missing of the last run, or of this one
%wf workers [RUN]       who works on the last run, or on this one, and what each uses
%wf drop NAME           forget a cell's task, or leave a name out when all are shown or run
%wf reuse               what is kept of earlier runs to be taken again; --clear forgets it
%wf export FILE [NAME]  write a script (.py), a picture (.svg), .mmd or .json
%wf doctor              what works here, and remedies
%wf COMMAND --help      more about one of them
"""


class UsageFault(Exception):  # noqa: N818  it never leaves the magics
    """The line makes no sense; the message says why."""


class Parser(argparse.ArgumentParser):
    """Complains by exception, where argparse would end the process."""

    def __init__(self, *, refers_to: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._refers_to = refers_to or f"{self.prog} --help tells its options"

    def error(self, message: str) -> NoReturn:
        raise UsageFault(f"{message}; {self._refers_to}")


def parser() -> Parser:
    root = Parser(prog="%wf", add_help=False)
    commands = root.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    connect = commands.add_parser("connect", description="Use a store and a backend from now on.")
    connect.add_argument("store", nargs="?", help="redis://..., unix://...; none: a private Redis")
    add_choices(connect)
    show = commands.add_parser("show", description="Draw a task, graph, plan, run or the draft.")
    show.add_argument("name", nargs="?", help="a variable, or any expression without spaces")
    _add_run(commands)
    for name, text in _OF_A_RUN.items():
        commands.add_parser(name, description=text).add_argument("run", nargs="?")
    commands.add_parser("attach", description="Come back to a run.").add_argument("run")
    log = commands.add_parser("log", description="What a task of the last run printed.")
    log.add_argument("task")
    log.add_argument("--run", help="of this run instead of the last")
    log.add_argument("--attempt", type=int, help="of this attempt instead of the last")
    drop = commands.add_parser("drop", description="Forget a cell's task, or a name.")
    drop.add_argument("name")
    reuse = commands.add_parser("reuse", description="What is kept to be taken again.")
    reuse.add_argument("--clear", action="store_true", help="forget it")
    export = commands.add_parser("export", description="Write the workflow to a file.")
    export.add_argument("file", help="its suffix says what: .py, .svg, .mmd, .json")
    export.add_argument("names", nargs="*", help="cells or variables; none: the draft")
    commands.add_parser("runs", description="List the runs that the store knows.")
    commands.add_parser("doctor", description="Try what works here.")
    return root


def add_choices(connect: argparse.ArgumentParser) -> None:
    """What may be said of a backend, here and on the command line."""
    connect.add_argument("--backend", default="process", choices=sorted(BACKENDS))
    connect.add_argument("--workers", type=int, help="at most so many work on a run at once")
    size = "of the worker of a task that asks for none"
    connect.add_argument("--cpus", type=float, help=f"{size}; 1 if not given")
    connect.add_argument("--memory", help=f"{size}, such as 512MB; no limit if not given")
    connect.add_argument("--image", help="of containers; none: what `wfnb image build` made")
    connect.add_argument(
        "--host",
        action="append",
        default=[],
        help="a Docker daemon, such as ssh://user@host; may be repeated; none: this machine's",
    )
    connect.add_argument("--build", action="store_true", help="an image that is missing is built")


def choices_of(asked: argparse.Namespace) -> Choices:
    """What these words choose; raises OptionError."""
    size = {"cpus": asked.cpus, "memory": asked.memory}
    given = {name: value for name, value in size.items() if value is not None}
    return Choices(
        store=asked.store,
        backend=asked.backend,
        workers=asked.workers,
        resources=Resources(**given),
        image=asked.image,
        hosts=tuple(asked.host),
        build=asked.build,
    )


def _add_run(commands: Any) -> None:
    commands.add_parser("build", description="Build tasks by hand, in a form.")
    plan = commands.add_parser("plan", description="Where each task would run; nothing runs.")
    plan.add_argument("planner", nargs="?", choices=sorted(PLANNERS))
    plan.add_argument("names", nargs="*", help="variables that hold tasks; none: the draft")
    _add_sla(plan)
    compare = commands.add_parser("compare", description="Plans of all planners; nothing runs.")
    compare.add_argument("names", nargs="*", help="variables that hold tasks; none: the draft")
    _add_sla(compare)
    run = commands.add_parser("run", description="Plan, run and wait; press stop to wait no more.")
    run.add_argument(
        "names",
        nargs="*",
        help="cells, or variables that hold tasks; none: all that your cells have made",
    )
    run.add_argument("--timeout", type=float, help="wait at most so many seconds; the run goes on")
    run.add_argument("--backend", choices=sorted(BACKENDS))
    run.add_argument("--planner", choices=sorted(PLANNERS))
    _add_sla(run)
    run.add_argument("--into", metavar="VARIABLE", type=variable, help="put the values there")
    run.add_argument("--fresh", action="store_true", help="take nothing from earlier runs")
    run.add_argument("--no-bind", action="store_true", help="leave the notebook's variables alone")
    run.add_argument(
        "--background",
        action="store_true",
        help="wait not; its values are bound when the first cell after its end is run",
    )


def _add_sla(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sla", default="mean", help="how careful predictions are: mean, p50, p90 ... (mean)"
    )


_OF_A_RUN = {
    "errors": "What failed in a run: every attempt, with your own frames.",
    "cancel": "Stop a run; its running tasks end within a second.",
    "resume": "Run what is missing of a run that ended badly.",
    "workers": "Who works on a run, or has: where, how it came, what it uses now.",
}
COMMANDS = (
    "attach",
    "build",
    "cancel",
    "compare",
    "connect",
    "doctor",
    "drop",
    "errors",
    "export",
    "log",
    "plan",
    "resume",
    "reuse",
    "run",
    "runs",
    "show",
    "workers",
)
_OPTIONS = {
    "connect": [
        *("--backend", "--workers", "--cpus", "--memory"),
        *("--image", "--host", "--build"),
    ],
    "run": [
        *("--timeout", "--backend", "--planner", "--sla", "--into"),
        *("--fresh", "--no-bind", "--background"),
    ],
    "reuse": ["--clear"],
    "log": ["--run", "--attempt"],
}


def variable(name: str) -> str:
    """What may be bound to a value."""
    if not name.isidentifier() or iskeyword(name):
        raise argparse.ArgumentTypeError(f"{name!r} is no name for a variable")
    return name


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
    if command == "plan" and len(before) == 1:
        return list(PLANNERS)
    if command in ("show", "run", "plan", "compare", "export"):
        kinds = (Task, PartOf, Run) if command != "run" else (Task, PartOf)
        cells = [cell.name for cell in session.draft.cell_tasks]
        return cells + [name for name, value in names.items() if isinstance(value, kinds)]
    if command == "log":
        return list(session.last.graph.ids) if session.last else []
    if command == "drop":
        return list(session.draft.names)
    return _runs(names, session) if command in (*_OF_A_RUN, "attach") else []


def _runs(names: Mapping[str, object], session: Session) -> list[str]:
    """Nobody wants Tab to start a server: ids only once there is a connection."""
    held = [name for name, value in names.items() if isinstance(value, Run)]
    return [*held, *session.known_runs()]
