from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from ipywidgets.widgets import widget as ipywidget

from tests.pictured import chain, five, grid, timeline_of, tree
from tests.plannable import Case
from tests.waiting import wait_until
from wfnb.errors import ErrorRecord, StoreError
from wfnb.forecast import Forecast
from wfnb.graph import Graph, TaskId
from wfnb.plan import Placement, Plan
from wfnb.planning import with_outlook
from wfnb.timeline import Span, TaskState, Timeline
from wfnb.widgets import keepsake
from wfnb.widgets.dashboard import Dashboard
from wfnb.widgets.log_feed import FETCHED, LogFeed
from wfnb.widgets.placing import placed, runs
from wfnb.widgets.telling import NUMBER, Telling, looks


class Played:
    """A run by hand."""

    def __init__(self, graph: Graph, **states: TaskState) -> None:
        self.id = "tour-1"
        self.graph = graph
        self.timeline = timeline_of(graph, states)
        self.status = "running"
        self.errors: list[ErrorRecord] = []
        self.done: list[str] = []

    @property
    def plan(self) -> Plan:
        return planned(self.graph)

    def apart(self) -> Played:
        return self

    def tend(self) -> str:
        return ""

    def end(self, status: str) -> None:
        self.timeline.status = self.status = status

    def log(self, task: str, attempt: int | None = None) -> str:
        return f"{task} printed \x1b]0;this\x07\n"

    def cancel(self) -> bool:
        self.done.append("cancel")
        self.end("cancelled")
        return True

    def resume(self) -> None:
        self.done.append("resume")
        self.timeline.status = self.status = "running"


def planned(graph: Graph, planner: str = "uniform") -> Plan:
    return Plan(graph, dict.fromkeys(graph, Placement()), planner=planner, notes=("by guess",))


class Offered:
    planners: Sequence[str] = ("uniform", "heft")
    planner = "uniform"

    def __init__(self, run: Played) -> None:
        self.run = run
        self.asked: list[str] = []

    def plan(self, planner: str) -> Plan:
        self.asked.append(planner)
        return planned(self.run.graph, planner)

    def start(self, planner: str) -> Played:
        if planner == "heft":
            raise StoreError("no store here")
        return self.run


@pytest.fixture
def boards() -> Iterator[list[Dashboard]]:
    before = set(ipywidget._instances)
    made: list[Dashboard] = []
    yield made
    for each in made:
        each.close()
    assert set(ipywidget._instances) == before


def told(board: Dashboard) -> dict:
    return json.loads(json.dumps(board._mailbox.whole()))


def row(board: Dashboard, task: str) -> list:
    at = told(board)["g"]["ids"].index(task)
    return next(each for each in told(board).get("d", []) if each[0] == at)


def test_members_are_told_as_stretches():
    assert runs([0, 1, 2, 5, 7, 8]) == [[0, 2], [5, 5], [7, 8]]
    assert runs([]) == []


@pytest.mark.parametrize("graph", [five(), tree(64), grid(30, 40, functions=3)])
def test_a_placed_graph_holds_every_task_once_and_overlaps_nothing(graph: Graph):
    view = placed(graph, {task: at for at, task in enumerate(graph)})
    members = [n for node in view["nodes"] for a, b in node["members"] for n in range(a, b + 1)]
    assert sorted(members) == [*range(len(graph))]
    assert len(view["nodes"]) <= 150
    ends = [x + width for x, width in view["columns"]]
    assert all(end < x for end, (x, _) in zip(ends, view["columns"][1:], strict=False))
    places = sorted((node["column"], node["y"]) for node in view["nodes"])
    assert all(
        below - above >= 42
        for (column, above), (other, below) in pairwise(places)
        if column == other
    )


def test_an_edge_has_a_stop_in_every_column_it_crosses():
    view = placed(five(), {task: at for at, task in enumerate(five())})
    for start, end, _, stops in view["edges"]:
        columns = [view["nodes"][at]["column"] for at in (start, end)]
        assert len(stops) == columns[1] - columns[0] - 1


def test_only_what_changed_is_told_again():
    graph = five()
    telling, timeline = Telling(), timeline_of(graph, {"load": TaskState.DONE})
    telling.shape(graph)
    first = telling.changes(timeline, telling.changed(timeline))
    assert [row[:2] for row in first["d"]] == [[0, NUMBER[TaskState.DONE]]]
    assert telling.changed(timeline) == []
    timeline.correct({TaskId("clean"): TaskState.RUNNING})
    (span,) = telling.changed(timeline)
    assert span.task == "clean"
    assert telling.shape(graph) == {}


def test_spans_that_moved_are_told_and_those_of_before_stay():
    telling, timeline = Telling(), timeline_of(five(), {"load": TaskState.DONE})
    telling.shape(five())
    telling.changed(timeline)
    moved = dict(reversed(timeline._spans.items()))
    timeline._spans = moved
    assert {span.task for span in telling.changed(timeline)} <= set(moved)
    assert telling.changed(timeline) == []
    telling.forget_times()
    assert len(telling.changed(timeline)) == len(moved)


def test_a_graph_that_grew_keeps_the_numbers_of_its_tasks():
    telling = Telling()
    small = telling.shape(chain(3))["g"]["ids"]
    assert telling.shape(chain(9))["g"]["ids"][:3] == small
    assert len(telling.ids) == 9


def test_another_graph_is_numbered_anew():
    telling = Telling()
    telling.shape(five())
    assert telling.shape(chain(3))["g"]["ids"] == list(chain(3))


def test_every_state_has_a_look_with_a_sign_of_its_own():
    signs = [look["stroke"] for look in looks()]
    assert len(set(signs)) == len(TaskState)


def test_a_run_is_shown_until_its_end(boards: list[Dashboard]):
    run = Played(five(), load=TaskState.DONE)
    boards.append(board := Dashboard(run.graph).follow(run))
    wait_until(lambda: told(board).get("d"))
    assert row(board, "load")[1] == NUMBER[TaskState.DONE]
    assert told(board)["g"]["sizes"] == ["1 cpu"]
    run.timeline.correct({TaskId("clean"): TaskState.RUNNING})
    wait_until(lambda: len(told(board)["d"]) == 2)
    run.end("done")
    wait_until(lambda: told(board)["r"]["status"] == "done")


def test_failures_are_told_with_their_text_made_harmless(boards: list[Dashboard]):
    run = Played(five(), load=TaskState.FAILED)
    run.errors = [
        ErrorRecord(
            task="load",
            attempt=1,
            kind="raised",
            type="ValueError",
            message="<b>\x1b[2Jno\u202e",
            traceback="Traceback\n  boom",
        )
    ]
    run.end("failed")
    boards.append(board := Dashboard(run.graph).follow(run))
    wait_until(lambda: told(board).get("e"))
    (error,) = told(board)["e"]
    assert (error["task"], error["message"]) == (0, "<b>no\ufffd")


def test_logs_are_sent_before_anybody_asks(boards: list[Dashboard]):
    run = Played(five())
    boards.append(board := Dashboard(run.graph).follow(run))
    spans = run.timeline._spans
    spans[TaskId("load")] = type(spans[TaskId("load")])(
        task=TaskId("load"), state=TaskState.RUNNING, attempt=1, worker="w1", start_seconds=0.0
    )
    wait_until(lambda: told(board)["l"])
    assert told(board)["l"]["0"]["lines"] == ["load printed "]


def test_the_buttons_of_a_run_act_and_are_answered(boards: list[Dashboard]):
    run = Played(five())
    boards.append(board := Dashboard(run.graph).follow(run))
    board._hear({"t": "cancel", "n": 7})
    assert told(board)["r"]["answered"] == 7
    wait_until(lambda: told(board)["r"]["status"] == "cancelled")
    board._hear({"t": "resume", "n": 8})
    assert run.done == ["cancel", "resume"]
    assert told(board)["r"]["status"] == "running"


def test_a_graph_is_planned_and_started_from_the_bar(boards: list[Dashboard]):
    run = Played(five())
    offered = Offered(run)
    boards.append(board := Dashboard(run.graph, actions=offered, title="draft"))
    assert told(board)["r"]["planners"] == ["uniform", "heft"]
    board._hear({"t": "plan", "planner": "heft", "n": 1})
    assert offered.asked == ["heft"]
    assert told(board)["r"]["notes"] == ["by guess"]
    board._hear({"t": "start", "planner": "heft", "n": 2})
    assert told(board)["r"]["trouble"] == "no store here"
    board._hear({"t": "start", "planner": "uniform", "n": 3})
    assert told(board)["r"]["id"] == "tour-1"


class Noting(Case):
    """A predictor with something to say."""

    def forecast(self, graph: Graph, *, sla: str = "mean") -> Forecast:
        return replace(super().forecast(graph, sla=sla), notes=("from history",))


def foreseen(graph: Graph, planner: str = "uniform") -> Plan:
    return with_outlook(planned(graph, planner), Noting(graph=graph, seconds=2.0), sla="mean")


def test_a_planner_that_is_chosen_says_what_its_plan_comes_to(boards: list[Dashboard]):
    run = Played(five())
    offered = Offered(run)
    offered.plan = lambda planner: foreseen(run.graph, planner)
    boards.append(board := Dashboard(run.graph, actions=offered, title="draft"))
    board._hear({"t": "plan", "planner": "heft", "n": 1})
    said = told(board)
    assert "10.00 CPU-s" in said["r"]["outlook"]
    assert said["r"]["notes"] == ["by guess", "from history"]
    assert len(said["g"]["planned"]["rows"]) == 5
    assert "plan by heft: predicted" in board._repr_mimebundle_()["text/plain"]


def test_a_prediction_goes_when_the_graph_is_another_or_runs(boards: list[Dashboard]):
    graph = tree(2)
    boards.append(board := Dashboard(graph).propose(foreseen(graph)))
    board.draw(tree(2))
    assert told(board)["r"]["outlook"]
    board.draw(tree(4))
    assert told(board)["r"]["outlook"] == ""
    assert "planned" not in told(board)["g"]
    run = Played(five())
    board.propose(foreseen(run.graph))
    board.follow(run)
    assert told(board)["r"]["outlook"] == ""


def test_a_plan_that_comes_late_does_not_replace_that_of_the_run(boards: list[Dashboard]):
    run = Played(five())
    boards.append(board := Dashboard(run.graph).follow(run))
    board.propose(foreseen(run.graph, "heft"))
    assert told(board)["r"]["planner"] == "uniform"


def test_without_a_prediction_it_is_said_that_there_is_none(boards: list[Dashboard]):
    graph = five()
    boards.append(board := Dashboard(graph).propose(planned(graph)))
    assert told(board)["r"]["outlook"] == "nothing is predicted: connect first"


@pytest.mark.parametrize(
    "message",
    [{}, {"t": "rm"}, {"t": "log", "task": "x"}, {"t": "plan", "planner": "/etc"}, {"t": "start"}],
)
def test_nonsense_from_a_page_does_nothing(boards: list[Dashboard], message: dict):
    boards.append(board := Dashboard(five()))
    board._hear(message)
    assert told(board)["r"]["status"] == ""


def test_a_draft_grows_and_marks_what_is_stale(boards: list[Dashboard]):
    boards.append(board := Dashboard(tree(2)))
    board.draw(tree(4), stale=[TaskId("count-1")])
    shape = told(board)["g"]
    assert len(shape["ids"]) == 7
    assert [shape["ids"][at] for at in shape["stale"]] == ["count-1"]


def test_without_a_page_it_is_a_picture_and_text(boards: list[Dashboard]):
    boards.append(board := Dashboard(five()))
    bundle = board._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"].startswith("graph of 5 tasks")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert repr(board) == bundle["text/plain"]


def test_its_picture_is_an_output_of_its_own_and_renewed_at_the_end(
    boards: list[Dashboard], monkeypatch: pytest.MonkeyPatch
):
    sent: list[tuple[dict, str, bool]] = []
    monkeypatch.setattr(
        keepsake,
        "_publish",
        lambda data, display="", is_update=False: sent.append((data, display, is_update)),
    )
    run = Played(five())
    boards.append(board := Dashboard(run.graph))
    ended: list[str] = []
    board.on_end(lambda: ended.append(run.status))
    board._ipython_display_()
    board.follow(run)
    run.timeline.correct({TaskId("load"): TaskState.DONE})
    run.end("done")
    wait_until(lambda: ended == ["done"])
    (view, _, _), (first, name, _), (last, same, is_update) = sent
    assert "application/vnd.jupyter.widget-view+json" in view
    assert (same, is_update) == (name, True)
    assert "1 done" not in first["text/plain"]
    assert "load" in last["text/plain"]
    assert last["text/html"].count("<img ") == 1


def test_a_run_that_goes_on_is_not_drawn_over(boards: list[Dashboard]):
    run = Played(five())
    boards.append(board := Dashboard(run.graph).follow(run))
    board.draw(tree(4))
    assert len(told(board)["g"]["ids"]) == 5
    run.end("done")
    assert board.settle()
    board.draw(tree(4))
    assert len(told(board)["g"]["ids"]) == 7
    assert told(board)["r"]["id"] == ""


def test_logs_of_what_has_ended_are_told_after_the_end_too(boards: list[Dashboard]):
    graph = tree(32)
    run = Played(graph)
    for task in graph:
        run.timeline._change(task, state=TaskState.DONE, attempt=1)
    run.log = lambda task, attempt=None: "" if task == "count-3" else f"{task}\n"
    run.end("done")
    boards.append(board := Dashboard(graph).follow(run))
    wait_until(lambda: len(told(board).get("l", ())) == len(graph) - 1)
    assert told(board)["q"] == [told(board)["g"]["ids"].index("count-3")]


def test_a_look_that_finds_something_is_one_message(boards: list[Dashboard]):
    run = Played(five())
    boards.append(board := Dashboard(run.graph))
    board._mailbox.flush()
    sent: list[dict] = []
    board._mailbox._send = sent.append
    board._mailbox._sent_at = 0.0
    board._run, board._logs = run, LogFeed(run)
    run.timeline._change(TaskId("load"), state=TaskState.FAILED, attempt=1)
    run.errors = [ErrorRecord(task="load", attempt=1, kind="raised", type="E", message="no")]
    board.show(run.timeline, is_over=False)
    (message,) = sent
    assert {"d", "e", "l", "r"} <= message.keys()


def test_of_functions_that_print_nothing_few_logs_are_looked_at():
    asked: list[str] = []
    graph = tree(64)
    run = Played(graph)
    feed = LogFeed(run)
    spans = [Span(task=task, state=TaskState.DONE, attempt=1) for task in graph]
    run.log = lambda task, attempt=None: asked.append(task) or ""
    for turn in range(8):
        asked.clear()
        feed.take(spans if not turn else (), is_over=False)
    assert len(asked) == 1
    assert feed.has_more
    run.log = lambda task, attempt=None: asked.append(task) or "printed"
    loud = [Span(task=TaskId(f"loud-{n}"), state=TaskState.DONE, attempt=1) for n in range(20)]
    asked.clear()
    told = feed.take(loud, is_over=False)["l"]
    assert len(told) > FETCHED
    assert len([task for task in told if task.startswith("loud")]) == FETCHED + 1


def test_it_says_whether_it_is_closed():
    board = Dashboard(five())
    assert not board.is_closed
    board.close()
    assert board.is_closed


def test_a_timeline_may_be_shown_by_hand(boards: list[Dashboard]):
    boards.append(board := Dashboard(five()))
    board.show(Timeline(five()), is_over=False)
    assert told(board)["r"]["status"] == "running"
