"""`%wf` in IPython: parse, let the session act, show what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.display_functions import DisplayHandle, display
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from wfnb.cell_options import parser as task_parser
from wfnb.cell_options import wish_of
from wfnb.cell_tasks import CellTask
from wfnb.cells import Source
from wfnb.commands import HELP, UsageFault, choices_of, parser, words_of
from wfnb.doctor import examine
from wfnb.errors import RunTimeoutError, WaitInterrupted, WfnbError
from wfnb.failures import all_described
from wfnb.notebook import CellWatch, Started
from wfnb.panels import build, is_live, show_run
from wfnb.plan import Plan
from wfnb.planning import Comparison
from wfnb.runner import Run
from wfnb.session import Session
from wfnb.terminal import Progress, Surface, Terminal, waited
from wfnb.widgets.ansi import safe_lines

if TYPE_CHECKING:
    from wfnb.widgets.dashboard import Dashboard


@magics_class
class WfMagics(Magics):
    """One magic with commands; each is a method named after it."""

    def __init__(self, shell: InteractiveShell, session: Session, watch: CellWatch) -> None:
        super().__init__(shell=shell)
        self.session = session
        self.watch = watch
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

    @no_var_expand
    @cell_magic
    def task(self, line: str, cell: str) -> None:
        try:
            wish = wish_of(line)
        except UsageFault as fault:
            raise UsageError(str(fault)) from None
        except SystemExit:  # after --help
            return
        made = self.watch.define(self._source(cell), wish)
        for said in (made, *made.notes):
            _say(str(said))

    task.__doc__ = task_parser().format_help()

    def _source(self, body: str) -> Source:
        """The cell as its user sees it: its first line, which IPython takes away, is counted."""
        info, number = self.watch.info, self.ipython.execution_count
        raw = info.raw_cell if info is not None else ""
        lines = raw.splitlines()
        at = next((n for n, text in enumerate(lines) if text.startswith("%%task")), -1)
        if at < 0 or "\n".join(lines[at + 1 :]).strip() != body.strip():
            raw, at = body, -1  # another magic, or a program, has run it
        return Source(
            text=body,
            file=self.ipython.compile.cache(raw, number, raw_code=raw),
            lines_before=at + 1,
            cell=self.watch.cell,
            is_lasting=bool(info and info.cell_id),
            label=f"In[{number}]",
        )

    def _connect(self, asked: argparse.Namespace) -> None:
        self.session.use(choices_of(asked), tell=_say)
        _say(self.session.found())

    def _show(self, asked: argparse.Namespace) -> None:
        if asked.name is None:
            self.session.show()
            return
        cell = self.watch.target(asked.name)
        self.session.show(self._value(asked.name) if cell is None else cell.task)

    def _build(self, asked: argparse.Namespace) -> None:
        del asked
        build(self.ipython, self.session)

    def _plan(self, asked: argparse.Namespace) -> Plan:
        return self.session.plan(*self._tasks(asked.names), planner=asked.planner, sla=asked.sla)

    def _compare(self, asked: argparse.Namespace) -> Comparison:
        return self.session.compare(*self._tasks(asked.names), sla=asked.sla)

    def _run(self, asked: argparse.Namespace) -> None:
        targets = [self.watch.target(name) or self._value(name) for name in asked.names]
        run = self.session.start(
            *(one.task if isinstance(one, CellTask) else one for one in targets),
            planner=asked.planner,
            sla=asked.sla,
            backend=asked.backend,
            fresh=asked.fresh,
            tell=_say,
        )
        started = self.watch.started(run, targets, is_bound=not asked.no_bind)
        board = self._board_of(run)
        if asked.background:
            self.watch.later(started)
            _say(f"{run.id} has started: %wf attach {run.id} comes back to it")
            return
        try:
            self._await(started, asked.timeout)
        finally:
            if board is not None and run.status != "running":
                board.settle()
        if asked.into:
            self.ipython.user_ns[asked.into] = run.result()

    def _board_of(self, run: Run) -> Dashboard | None:
        return show_run(self.ipython, self.session, run) if is_live(self.ipython) else None

    def _await(self, started: Started, timeout: float | None) -> None:
        try:
            waited(started.run, Progress(self._surface()), timeout=timeout)
        except (WaitInterrupted, RunTimeoutError):
            self.watch.later(started)
            raise
        except WfnbError:
            self.watch.settle(started)
            raise
        self.watch.settle(started)

    def _errors(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run)
        _say(all_described(run.errors) or f"no errors in {run.id}")

    def _log(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run)
        text = "\n".join(safe_lines(run.log(asked.task, asked.attempt)))
        states = (span.state.value for span in run.timeline.spans if span.task == asked.task)
        _say(text or f"{asked.task} ({next(states, 'waiting')}) printed nothing in {run.id}")

    def _runs(self, asked: argparse.Namespace) -> None:
        _say(repr(self.session.runs()))

    def _workers(self, asked: argparse.Namespace) -> None:
        _say(repr(self.session.crew(self._named_run(asked.run))))

    def _attach(self, asked: argparse.Namespace) -> Run:
        return self.session.attach(asked.run)

    def _cancel(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run)
        told = "cancelled" if run.cancel() else f"had ended already: {run.status}"
        _say(f"{run.id} {told}")

    def _resume(self, asked: argparse.Namespace) -> None:
        run = self._named_run(asked.run).resume()
        board = self._board_of(run)
        waited(run, Progress(self._surface()))
        if board is not None:
            board.settle()

    def _drop(self, asked: argparse.Namespace) -> None:
        dropped = self.watch.drop(asked.name)
        if dropped is not None:
            _say(str(dropped))
            return
        draft = self.session.draft
        cell = draft.producer(asked.name)
        known = ", ".join(draft.names) or "nothing"
        hint = f"; the cell {cell.name} defines it" if cell is not None else f"; it has {known}"
        raise UsageError(f"the draft has no {asked.name}{hint}")

    def _reuse(self, asked: argparse.Namespace) -> None:
        if asked.clear:
            _say(f"forgot {self.session.clear_reusable():,} values")
        else:
            _say(repr(self.session.reusable()))

    def _export(self, asked: argparse.Namespace) -> None:
        _say(f"wrote {self.session.export(asked.file, *self._tasks(asked.names))}")

    def _doctor(self, asked: argparse.Namespace) -> None:
        for finding in examine(self.session):
            _say(str(finding))

    def _tasks(self, names: Sequence[str]) -> list[Any]:
        found = [self.watch.target(name) or self._value(name) for name in names]
        return [one.task if isinstance(one, CellTask) else one for one in found]

    def _value(self, expression: str) -> Any:
        names = self.ipython.user_ns
        if expression in names:
            return names[expression]
        if expression == "run" and self.session.last:
            return self.session.last
        try:
            return self.ipython.ev(expression)
        except (NameError, SyntaxError, LookupError, AttributeError, TypeError) as error:
            known = ", ".join(self.session.draft.names) or "nothing"
            raise UsageError(f"{expression}: {error}; the draft has {known}") from None

    def _named_run(self, name: str | None) -> Run:
        if name is None:
            if self.session.last is None:
                raise UsageError("no run yet: %wf run starts one, %wf runs lists those there are")
            return self.session.last
        value = self.ipython.user_ns.get(name)
        return value if isinstance(value, Run) else self.session.attach(name)

    def _surface(self) -> Surface:
        if not hasattr(self.ipython, "kernel"):
            return Terminal()
        return LastLine() if is_live(self.ipython) else CellOutput()


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


class LastLine:
    """How a run ended, below the panel that shows how it goes."""

    def show(self, line: str) -> None:
        """The panel says it."""

    def finish(self, line: str) -> None:
        _say(line)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
