"""The words of `%%task`: a cell's name, and what is said of running it."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any

from wfnb.cells import Wish
from wfnb.commands import Parser, UsageFault
from wfnb.options import options_of
from wfnb.resources import Resources

OPTIONS = (
    *("--in", "--out", "--cpus", "--memory", "--retries", "--timeout", "--requirements", "--io"),
    *("--more-memory", "--no-reuse", "--no-bind", "--help"),
)
_BETWEEN = re.compile(r"(?<![<>=!~,@(\[])\s+(?![<>=!~,@()\[\]])")
"""Of two requirements; not beside a sign, as in numpy >= 2."""
IO = ("constant", "linear", "power:2")
_ABOUT = """\
Make this cell a task of the draft. It does not run now: %wf run runs it, in a worker.

Its inputs are the names that it reads: what earlier cells with %%task define, or else variables of
the notebook as they are now. Its outputs are the names that it defines, but for imports, the
variables of loops and `with`, and names that begin with _. Calls of @task functions are plain
calls in here. Run the cell again to write it anew; what reads it then sees the new one."""


def parser() -> Parser:
    task = Parser(
        prog="%%task",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        refers_to="%%task? tells its options",
    )
    task.add_argument("name", nargs="?", help="else it is named after the first thing it defines")
    task.add_argument("--in", dest="inputs", metavar="A,B", help="the only data it takes")
    task.add_argument("--out", dest="outputs", metavar="X,Y", help="exactly what it hands on")
    task.add_argument("--cpus", type=float, help="it needs so many")
    task.add_argument("--memory", metavar="SIZE", help="it may use so much, such as 512MB")
    task.add_argument(
        "--more-memory", type=float, metavar="X", help="if that was too little, try X times as much"
    )
    task.add_argument("--retries", type=int, help="so many more attempts follow a failed one")
    task.add_argument("--timeout", type=float, metavar="S", help="stop an attempt after S seconds")
    task.add_argument("--requirements", metavar="'A B'", help="packages to install before")
    task.add_argument("--io", help="how output grows with input: constant, linear, power:2")
    task.add_argument("--no-reuse", action="store_true", help="compute it anew in every run")
    task.add_argument("--no-bind", action="store_true", help="leave the notebook's names alone")
    return task


def wish_of(line: str) -> Wish:
    """What the line of `%%task` asks for; UsageFault, OptionError, or SystemExit after --help."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageFault(f"{error}: close the quotes") from None
    asked = parser().parse_args(words)
    return Wish(
        name=asked.name,
        inputs=_names(asked.inputs),
        outputs=_names(asked.outputs),
        options=options_of(**_options(asked)),
        is_bound=not asked.no_bind,
    )


def _options(asked: argparse.Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: getattr(asked, name)
        for name in ("retries", "timeout", "io", "more_memory")
        if getattr(asked, name) is not None
    }
    size = {name: getattr(asked, name) for name in ("cpus", "memory")}
    if any(value is not None for value in size.values()):
        given["resources"] = Resources(**{k: v for k, v in size.items() if v is not None})
    if asked.requirements is not None:
        given["requirements"] = _requirements(asked.requirements)
    return {**given, "reuse": not asked.no_reuse}


def _requirements(text: str) -> list[str]:
    """Separated by spaces, such as may also stand within one; with a marker there is but one."""
    return [text] if ";" in text else _BETWEEN.split(text.strip()) if text.strip() else []


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def completions(line: str) -> list[str]:
    """What may stand where a line of `%%task` ends."""
    words = line.split()
    begun = "" if line.endswith(" ") else words[-1]
    last = words[-1] if not begun else words[-2] if len(words) > 1 else ""
    if last == "--io":
        return [word for word in IO if word.startswith(begun)]
    return [word for word in OPTIONS if word.startswith(begun) and word not in words[1:]]
