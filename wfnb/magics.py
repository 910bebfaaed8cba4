"""`%wf` in IPython: parse, let the session act, show what came of it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from IPython.core.display_functions import DisplayHandle, display
from IPython.core.error import TryNext, UsageError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from wfnb.commands import HELP, UsageFault, completions, parser, words_of
from wfnb.doctor import examine
from wfnb.draft import tasks_in
from wfnb.failures import all_described
from wfnb.graph import Graph, Task
from wfnb.plan import Plan
from wfnb.runner import Run
from wfnb.session import Session, default_session
from wfnb.terminal import Progress, Surface, Terminal, waited
from wfnb.views import picture

DRAWN = (Task, Graph, Plan, Run)


@magics_class
class WfMagics(Magics):
    """One magic with commands; each is a method named after it."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(shell=shell)
        self.session = session
        self.ipython = shell
        self.parser = parser()

    @no_var_expand
    @line_magic
    def wf(self, line: str) -> Any:
        """Show, run and look after workflows; `%wf` alone lists the commands."""
        try:
            words = words_of(line)
            if not words:
                _say(HELP.rstrip())
                return None
            asked = self.parser.parse_args(words)
        except UsageFault as fault:
            raise UsageError(str(fault)) from None
        except SystemExit:  # after --help
            return None
        return getattr(self, f"_{asked.command}")(asked)

    def _connect(self, asked: argparse.Namespace) -> None:
        self.session.connect(asked.store, asked.backend, workers=asked.workers)
        _say(self.session.found())

    def _show(self, asked: argparse.Namespace) -> None:
        self.session.show(None if asked.name is None else self._value(asked.name))

    def _run(self, asked: argparse.Namespace) -> None:
        targets = [self._value(name) for name in asked.names]
        run = self.session.start(*targets, planner=asked.planner, backend=asked.backend)
        waited(run, Progress(self._surface()), timeout=asked.timeout)
        if asked.into:
            self.ipython.user_ns[asked.into] = run.result()

    def _errors(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run)
        _say(all_described(run.errors) or f"no errors in {run.id}")

    def _log(self, asked: argparse.Namespace) -> None:
        text = self._named_run(asked.run).log(asked.task, asked.attempt)
        _say(text.rstrip("\n") if text else f"{asked.task} printed nothing")

    def _runs(self, asked: argparse.Namespace) -> None:
        _say(repr(self.session.runs()))

    def _attach(self, asked: argparse.Namespace) -> Run:
        return self.session.attach(asked.run)

    def _cancel(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run)
        told = "cancelled" if run.cancel() else f"had ended already: {run.status}"
        _say(f"{run.id} {told}")

    def _resume(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run).resume()
        waited(run, Progress(self._surface()))

    def _drop(self, asked: argparse.Namespace) -> None:
        if not self.session.draft.drop(asked.name):
            known = ", ".join(self.session.draft.names) or "nothing"
            raise UsageError(f"the draft has no {asked.name}; it has {known}")

    def _doctor(self, asked: argparse.Namespace) -> None:
        for finding in examine(self.session):
            _say(str(finding))

    def _value(self, expression: str) -> Any:
        names = self.ipython.user_ns
        if expression in names:
            return names[expression]
        if expression == "run" and self.session.last:
            return self.session.last
        try:
            return self.ipython.ev(expression)
        except (NameError, SyntaxError, LookupError, AttributeError, TypeError) as error:
            raise UsageError(f"{expression}: {error}") from None

    def _named_run(self, name: str | None) -> Run:
        if name is None:
            if self.session.last is None:
                raise UsageError("no run yet: %wf run starts one, %wf runs lists those there are")
            return self.session.last
        value = self.ipython.user_ns.get(name)
        return value if isinstance(value, Run) else self.session.attach(name)

    def _surface(self) -> Surface:
        return CellOutput() if hasattr(self.ipython, "kernel") else Terminal()


class CellOutput:
    """A line in the output of the cell that runs, updated in place."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, line: str) -> None:
        bundle = {"text/plain": line}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    finish = show


class CellWatch:
    """Takes what each cell binds into the draft."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        self._names = shell.user_ns
        self._draft = session.draft
        self._before: dict[str, Any] = {}

    def begin(self, info: object = None) -> None:
        self._before = dict(self._names)

    def end(self, result: ExecutionResult) -> None:
        # It also ends for silent code and for messages of widgets, which are no cells.
        info = result.info
        if info is None or info.silent or result.execution_count is None:
            return
        before, self._before = self._before, {}
        bound = {
            name: value
            for name, value in self._names.items()
            if not name.startswith("_")
            and name not in ("In", "Out")
            and value is not before.get(name)
        }
        self._draft.keep(name for name in self._names if name not in bound)
        found = {
            name: tasks
            for name, value in bound.items()
            if not name.startswith("_") and name not in ("In", "Out") and (tasks := tasks_in(value))
        }
        self._draft.write(info.cell_id or f"In[{result.execution_count}]", found)


def install(shell: InteractiveShell, session: Session | None = None) -> None:
    """Everything that `%load_ext wfnb` adds to a shell."""
    session = session or default_session()
    magics = WfMagics(shell, session)
    watch = CellWatch(shell, session)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", watch.begin)
    shell.events.register("post_run_cell", watch.end)
    shell.set_hook("complete_command", magics_completer(session), str_key="%wf")
    for kind in DRAWN:
        _formatter(shell).for_type(kind, _drawn)
    _installed[shell] = watch


def uninstall(shell: InteractiveShell) -> None:
    watch = _installed.pop(shell, None)
    if watch is None:
        return
    shell.events.unregister("pre_run_cell", watch.begin)
    shell.events.unregister("post_run_cell", watch.end)
    shell.magics_manager.magics["line"].pop("wf", None)
    for kind in DRAWN:
        _formatter(shell).pop(kind, None)


_installed: dict[InteractiveShell, CellWatch] = {}


def magics_completer(session: Session) -> Any:
    def complete(shell: InteractiveShell, event: Any) -> list[str]:
        found = completions(event.line, shell.user_ns, session)
        if not found:
            raise TryNext
        return found

    return complete


def _formatter(shell: InteractiveShell) -> Any:
    formatter = shell.display_formatter
    return formatter and formatter.mimebundle_formatter


def _drawn(thing: Any) -> dict[str, str]:
    return picture(thing).bundle()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
