"""What `%load_ext wfnb` adds to IPython: magics, completion, panels, and a draft that follows."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from IPython.core.error import TryNext
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from wfnb.cell_options import completions as task_completions
from wfnb.commands import completions
from wfnb.graph import Graph, PartOf, Task
from wfnb.magics import WfMagics
from wfnb.notebook import CellWatch
from wfnb.panels import bundle_of, is_live, show
from wfnb.plan import Plan
from wfnb.runner import Run
from wfnb.session import Session, default_session

DRAWN = (Task, PartOf, Graph, Plan, Run)


def install(shell: InteractiveShell, session: Session | None = None) -> None:
    """Everything that `%load_ext wfnb` adds to a shell."""
    session = session or default_session()
    watch = CellWatch(shell.user_ns, session.draft)
    session.on_start.append(watch.heard)
    ended = _teller(watch)
    shell.register_magics(WfMagics(shell, session, watch))
    shell.events.register("pre_run_cell", watch.begin)
    shell.events.register("post_run_cell", ended)
    shell.set_hook("complete_command", magics_completer(session), str_key="%wf")
    shell.set_hook("complete_command", task_completer, str_key="%%task")
    itself, as_bundle = _formatters(shell)
    for kind in DRAWN:
        if is_live(shell):
            itself.for_type(kind, partial(show, shell, session))
        else:
            as_bundle.for_type(kind, partial(bundle_of, session))
    _installed[shell] = (session, watch, ended)


def _teller(watch: CellWatch) -> Any:
    def ended(result: ExecutionResult) -> None:
        for dropped in watch.end(result):
            sys.stdout.write(f"{dropped}\n")

    return ended


def uninstall(shell: InteractiveShell) -> None:
    found = _installed.pop(shell, None)
    if found is None:
        return
    session, watch, ended = found
    session.on_start.remove(watch.heard)
    shell.events.unregister("pre_run_cell", watch.begin)
    shell.events.unregister("post_run_cell", ended)
    shell.magics_manager.magics["line"].pop("wf", None)
    shell.magics_manager.magics["cell"].pop("task", None)
    for kind in DRAWN:
        for formatter in _formatters(shell):
            formatter.pop(kind, None)


_installed: dict[InteractiveShell, tuple[Session, CellWatch, Any]] = {}


def task_completer(_shell: InteractiveShell, event: Any) -> list[str]:
    found = task_completions(event.line)
    if not found:
        raise TryNext
    return found


def magics_completer(session: Session) -> Any:
    def complete(shell: InteractiveShell, event: Any) -> list[str]:
        found = completions(event.line, shell.user_ns, session)
        if not found:
            raise TryNext
        return found

    return complete


def _formatters(shell: InteractiveShell) -> tuple[Any, Any]:
    """Of what displays itself, and of what is a bundle."""
    formatter: Any = shell.display_formatter
    return formatter.ipython_display_formatter, formatter.mimebundle_formatter
