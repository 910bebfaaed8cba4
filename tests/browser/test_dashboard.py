# ruff: noqa: RUF001  how often a map calls its function is written with a multiplication sign
"""What only a browser shows: the dashboard in JupyterLab and Notebook 7, live and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbconvert import HTMLExporter

from tests.browser.conftest import Open
from tests.browser.jupyter import JupyterServer

IN_LAB = pytest.mark.parametrize("front_end", ["lab"])
IN_NOTEBOOK = pytest.mark.parametrize("front_end", ["notebook"])
"""What no front end can change is tried in one of them."""

BEGIN = """
import comm, pathlib, tempfile, time
import wfnb
from wfnb.widgets.dashboard import Dashboard

GATE = pathlib.Path(tempfile.mkdtemp(), "gate")

def comms():
    return len(comm.get_comm_manager().comms)
"""
LIVE = (
    BEGIN
    + """
@wfnb.task
def load(n):
    print(f"loading \\x1b[32mpart {n}\\x1b[0m")
    return list(range(1000 * n))

@wfnb.task
def merge(parts):
    time.sleep(0.1)  # so that what follows is claimed, and seen, by itself
    return sum(map(len, parts))

@wfnb.task
def report(total, gate):
    for line in range(40):
        print("line", line, "of the report", flush=True)
    while not gate.exists():
        time.sleep(0.05)
        print("still waiting", flush=True)
    return total

answer = report(merge([load(n) for n in range(6)]), GATE)
"""
)
FOLLOW = """
run = wfnb.start(answer)
board = Dashboard(run.graph).follow(run)
display(board)
"""
WAIT = FOLLOW + "run.wait()"
CANARY = "<img src=x onerror=window.__fired=1>"
FAILING = (
    BEGIN
    + f"""
MENDED = GATE

def load(n):
    return n

load.__name__ = "load{CANARY}"
load = wfnb.task(load)

source = "def refuse(n): raise ValueError(f'{{n}} is not allowed {CANARY}')"
exec(compile(source, "{CANARY}.py", "exec"))  # a file of this name

@wfnb.task(retries=1)
def score(n, mended):
    print("scoring {CANARY} \\x1b]0;title\\x07 \\u202e", n)
    if n == 7 and not mended.exists():
        refuse(n)
    return n

@wfnb.task
def pick(scores):
    return max(scores)

answer = pick([score(load(n), MENDED) for n in range(30)])
"""
)
OPEN_GATE = "GATE.touch()"


def test_it_is_live_while_its_cell_blocks(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(LIVE, WAIT)
    page.run(0)
    page.run(1, wait=False)
    board = page.dashboard.appear()
    page.eventually(lambda: board.state("report-0") == "running", "report runs")
    board.click("load-3")
    board.see(".wfnb-inspector", "load-3")
    board.see(".wfnb-log", "loading part 3")
    board.see(".wfnb-facts", "1 cpu")
    green = board.find(".wfnb-line span").last.evaluate("el => getComputedStyle(el).color")
    assert green == "rgb(46, 133, 64)"
    assert page.is_busy(1)
    board.photograph(screenshots / f"live_{front_end}.png")
    assert board.core == {"nodes": 8, "edges": 7}
    board.click("report-0")
    board.see(".wfnb-log", "still waiting")  # a log that grows, and nobody could ask for
    board.find(".wfnb-button").filter(has_text="cancel").click()
    board.see(".wfnb-say", "press ■")
    page.command("notebook:interrupt-kernel")
    page.eventually(lambda: not page.is_busy(1), "the wait was stopped")
    board.see(".wfnb-about", "cancelled")
    page.eventually(lambda: board.state("report-0") == "cancelled", "report is cancelled")


def test_an_error_leads_to_its_task_and_is_resumed(
    notebook: Open, screenshots: Path, front_end: str
):
    page = notebook(FAILING, FOLLOW, OPEN_GATE)
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    board.see(".wfnb-tab", "errors 2")
    board.see(".wfnb-about", "failed")
    board.photograph(screenshots / f"failed_{front_end}.png")
    board.find(".wfnb-error summary").first.click()
    board.find(".wfnb-error").first.get_by_text("go to task").click()
    board.see(".wfnb-inspector .wfnb-title", "score-7")
    board.see(".wfnb-failure", f"7 is not allowed {CANARY}")
    board.see(".wfnb-failure", f'File "{CANARY}.py"')
    board.see(".wfnb-log", f"scoring {CANARY}")
    board.find(".wfnb-inspector .wfnb-link").filter(has_text="load").first.click()
    board.see(".wfnb-facts", "loadimgsrc")
    board.photograph(screenshots / f"error_{front_end}.png")
    page.run(2)
    board.find(".wfnb-top .wfnb-button").filter(has_text="resume").click()
    board.see(".wfnb-about", "done")
    assert page.page.evaluate("window.__fired") is None


def test_folds_open_by_mouse_and_by_keyboard(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(FAILING, FOLLOW)
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    board.see(".wfnb-about", "failed")
    folds = len(board.names)
    board.click("score@1", times=2)
    page.eventually(lambda: len(board.names) > folds, "unfolded")
    assert board.core["nodes"] == board.find(".wfnb-card").count()
    board.find(".wfnb-frame .wfnb-fold").click()
    page.eventually(lambda: len(board.names) == folds, "folded again")
    board.card("score@1").focus()
    press = page.page.keyboard.press
    press("ArrowLeft")
    press("ArrowRight")
    press("Space")
    page.eventually(lambda: len(board.names) > folds, "unfolded by the keyboard")
    press("ArrowDown")
    press("Enter")
    board.find(".wfnb-inspector").wait_for()
    board.photograph(screenshots / f"unfolded_{front_end}.png")
    press("d")
    press("d")
    press("Escape")
    board.find(".wfnb-inspector").wait_for(state="hidden")
    assert page.page.evaluate("document.activeElement.classList.contains('wfnb-card')")
    press("Backspace")
    page.eventually(lambda: len(board.names) == folds, "folded by the keyboard")
    assert page.page.locator(".jp-CodeCell").count() >= 2


def test_it_fits_a_dark_page_and_a_narrow_one(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(FAILING, FOLLOW)
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    board.see(".wfnb-about", "failed")
    page.command("apputils:change-theme", theme="JupyterLab Dark")
    page.until("document.body.dataset.jpThemeLight === 'false'")
    board.open_tab("timeline")
    board.find(".wfnb-critical").click()
    board.click("pick-0")
    board.see(".wfnb-inspector", "pick-0")
    paper = board.root.evaluate("el => getComputedStyle(el).backgroundColor")
    assert max(int(part) for part in paper[4:-1].split(",")) < 64
    board.photograph(screenshots / f"dark_{front_end}.png")
    page.page.set_viewport_size({"width": 400, "height": 1400})
    if front_end == "lab":
        page.command("application:toggle-left-area")
    page.eventually(lambda: board.find(".wfnb-inspector").bounding_box()["width"] < 400, "narrow")
    sticking_out = """el => [...el.querySelectorAll(
            ".wfnb > *, .wfnb-main > *, .wfnb-top > *, .wfnb-counts > *, .wfnb-panel > *, canvas")]
        .filter(each => each.checkVisibility() && !each.closest(".custom-widget"))
        .filter(each => each.getBoundingClientRect().right > el.getBoundingClientRect().right + 1)
        .map(each => each.className)"""
    page.eventually(lambda: board.root.evaluate(sticking_out) == [], "nothing sticks out")
    board.photograph(screenshots / f"narrow_{front_end}.png")
    page.command("apputils:change-theme", theme="JupyterLab Light")


MAPS = (
    BEGIN
    + """
from types import SimpleNamespace

@wfnb.task
def grid(n):
    return list(range(n))

@wfnb.task(retries=1)
def score(x, gate):
    print("scoring", x)
    while x == 8 and not gate.exists():
        time.sleep(0.05)
    return x

@wfnb.task
def rate(x):
    return x

@wfnb.task
def best(rates, many):
    return len(rates) + len(many)

rates = rate.map(score.map(grid(12), gate=GATE))
answer = best(rates, wfnb.task(lambda x: x, name="one").map(grid(1000)))
"""
)


def test_a_map_is_one_node_that_opens_and_closes(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(MAPS, WAIT, "", "print(board)")
    page.run(0)
    page.run(1, wait=False)
    board = page.dashboard.appear()
    page.eventually(lambda: board.has("score ×12", "rate ×12", "one ×1,000"), "maps have items")
    board.see(".wfnb-counts b", "/ 1,027")
    page.eventually(lambda: board.state("score-0") == "running", "an item runs")
    board.click("score-0", times=2)
    page.eventually(lambda: board.state("score-0[8]") == "running", "its item is shown")
    board.click("rate-0", times=2)
    page.eventually(lambda: board.state("rate-0[8]") == "waiting", "so are those that follow")
    assert board.core["nodes"] == board.find(".wfnb-card").count() == 28
    board.click("score-0[3]")
    board.see(".wfnb-facts", "score-0, item 3 of 12")
    board.see(".wfnb-links", "grid-0")
    board.see(".wfnb-log", "scoring 3")
    board.photograph(screenshots / f"maps_live_{front_end}.png")
    board.open_tab("timeline")
    board.see(".wfnb-timesay", "bars on")
    board.find("canvas").last.focus()
    page.page.keyboard.press("ArrowRight")
    board.see(".wfnb-timesay", "done")
    page.page.keyboard.press("Enter")
    board.find(".wfnb-inspector").wait_for()
    page.command("notebook:interrupt-kernel")
    page.eventually(lambda: not page.is_busy(1), "the wait was stopped")
    page.page.evaluate(
        "jupyterapp.shell.currentWidget.content.widgets[2].model.sharedModel"
        ".setSource('GATE.touch(); run.wait(); time.sleep(0.3)')"
    )
    page.run(2)
    board.see(".wfnb-about", "done")
    board.see(".wfnb-counts b", "1,027 / 1,027")
    page.run(3)
    assert "graph of 1,027 tasks" in page.text(3)
    board.find(".wfnb-critical").filter(has_text="critical path").click()
    page.eventually(lambda: board.find(".wfnb-card.is-critical").count() >= 4, "the path is marked")
    board.find(".wfnb-frame .wfnb-frametitle").first.click()
    board.see(".wfnb-inspector .wfnb-links", "slowest")
    board.photograph(screenshots / f"maps_{front_end}.png")
    board.find(".wfnb-refold").click()
    page.eventually(lambda: len(board.names) == 6, "folded again")
    board.open_tab("worker")
    board.see(".wfnb-worker", "busy")
    board.photograph(screenshots / f"workers_{front_end}.png")


def test_a_reload_shows_the_run_as_it_is(notebook: Open):
    page = notebook(LIVE, FOLLOW, OPEN_GATE)
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    page.eventually(lambda: board.state("report-0") == "running", "report runs")
    page.save()
    page.page.reload()
    page.ready()
    board = page.dashboard.appear()
    page.eventually(lambda: board.state("report-0") == "running", "report still runs")
    board.click("load-3")
    board.see(".wfnb-log", "loading part 3")
    page.run(2)
    page.eventually(lambda: board.state("report-0") == "done", "report is done")


def test_after_a_restart_of_the_kernel_the_run_is_taken_up_again(notebook: Open):
    begin, follow = FOLLOW.split("board", 1)
    note = begin + "pathlib.Path('run.txt').write_text(run.id + '\\n' + str(GATE))\nboard" + follow
    attach = """
import pathlib, wfnb
from wfnb.widgets.dashboard import Dashboard
name, gate = pathlib.Path("run.txt").read_text().split()
run = wfnb.attach(name)
display(Dashboard(run.graph).follow(run))
"""
    page = notebook(LIVE, note, attach, "pathlib.Path(gate).touch()")
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    page.eventually(lambda: board.state("report-0") == "running", "report runs")
    page.restart()
    board.click("load-3")  # the page of the kernel that is gone still answers
    board.see(".wfnb-log", "loading part 3")
    page.run(2)
    page.eventually(lambda: len(page.dashboards()) == 2, "another dashboard")
    board = page.dashboards()[1].appear()
    page.eventually(lambda: board.state("report-0") == "running", "report still runs")
    page.run(3)
    board.see(".wfnb-about", "done")
    board.click("load-3")
    board.see(".wfnb-log", "loading part 3")


def test_a_saved_notebook_shows_the_last_graph_without_its_kernel(
    notebook: Open, jupyter: JupyterServer, screenshots: Path, front_end: str
):
    page = notebook(LIVE, "GATE.touch()" + WAIT)
    page.run(0)
    page.page.evaluate(
        """() => { window.heights = new Set(); setInterval(() => {
            const saved = document.querySelector(".wfnb-saved");
            if (saved) heights.add(saved.getBoundingClientRect().height);
        }, 10); }"""
    )
    page.run(1)
    page.dashboard.appear().see(".wfnb-about", "done")
    page.page.wait_for_timeout(1000)
    assert page.page.evaluate("[...heights]") == [0], "the picture flickered"
    page.save()
    page.page.close()
    jupyter.end_kernels()
    page = notebook(address=page.address)
    picture = page.page.locator(".wfnb-saved img")
    picture.wait_for()
    page.eventually(lambda: picture.evaluate("el => el.naturalWidth") > 300, "it is drawn")
    assert "report-0" in (picture.get_attribute("alt") or "")
    gone = page.page.get_by_text("model not found")
    page.eventually(lambda: not gone.count() or gone.first.is_hidden(), "no word of a model")
    screenshots.joinpath(f"saved_{front_end}.png").write_bytes(page.page.screenshot())
    html, _ = HTMLExporter().from_filename(str(jupyter.file_of(page.address)))
    exported = page.page.context.new_page()  # as nbconvert writes it, without any network
    exported.set_content(html)
    exported.wait_for_function("document.querySelector('.wfnb-saved img')?.naturalWidth > 300")
    assert not exported.get_by_text("model not found").count()


def test_two_runs_are_shown_at_once_and_closing_frees_everything(notebook: Open):
    close = "board.close(); other.close(); print('left', comms() - before)"
    two = FOLLOW + "other = Dashboard(run.graph).follow(wfnb.start(answer))\ndisplay(other)"
    page = notebook(LIVE, "before = comms()\nGATE.touch()\n" + two, close)
    page.run(0)
    page.run(1)
    page.eventually(lambda: len(page.dashboards()) == 2, "two dashboards")
    for board in page.dashboards():
        board.appear()
        board.see(".wfnb-about", "done")
    page.run(2)
    assert page.text(2).strip() == "left 0"
    page.eventually(lambda: page.dashboards() == [], "closed")


DRAFT = (
    BEGIN
    + """
wfnb.connect(workers=2)

@wfnb.task(duration=0.2)
def load(n):
    time.sleep(0.2)
    return n

@wfnb.task
def add(a, b):
    return a + b

class Bench:
    planners = ("heft", "uniform")
    planner = "uniform"
    target = load(1)

    def plan(self, planner):
        return wfnb.plan(self.target, planner=planner)

    def start(self, planner):
        return wfnb.start(self.target, planner=planner)

bench = Bench()
board = Dashboard(wfnb.plan(bench.target).graph, actions=bench, title="draft")
display(board)
"""
)
GROWN = """
bench.target = add(bench.target, load(2))
board.draw(wfnb.plan(bench.target).graph, stale=["load-0"])
"""


@IN_NOTEBOOK
def test_a_draft_grows_is_planned_and_run_from_the_bar(notebook: Open, screenshots: Path):
    page = notebook(DRAFT, GROWN)
    page.run(0)
    board = page.dashboard.appear()
    assert board.names == ["load-0"]
    page.run(1)
    page.eventually(lambda: len(board.names) == 3, "the draft has grown")
    board.see(".wfnb-card.is-stale .wfnb-note", "stale")
    board.photograph(screenshots / "draft.png")
    board.find(".wfnb-select").select_option("heft")
    board.see(".wfnb-about", "predicted")
    board.see(".wfnb-outlook", "CPU-s")
    board.see(".wfnb-outlook", "2 workers")
    board.open_tab("timeline")
    board.see(".wfnb-timesay", "planned: 3 tasks on 2 workers")
    board.photograph(screenshots / "planned.png")
    board.find(".wfnb-top .wfnb-button.is-main").click()
    board.see(".wfnb-about", "done")
    page.eventually(lambda: board.state("add-0") == "done", "it ran")
    board.click("add-0")
    board.see(".wfnb-facts", "predicted")
    board.see(".wfnb-clock", "predicted")
    board.see(".wfnb-timesay", "what was planned behind them")
    board.photograph(screenshots / "planned_run.png")


PLANNED = (
    BEGIN
    + """
%load_ext wfnb
wfnb.connect(workers=2)

@wfnb.task
def load(n):
    return n

@wfnb.task
def add(numbers):
    return sum(numbers)

answer = add([load(n) for n in range(4)])
"""
)


def test_a_plan_says_what_it_comes_to_and_another_planner_says_it_anew(notebook: Open):
    page = notebook(PLANNED, "%wf plan heft answer")
    page.run(0)
    page.run(1)
    board = page.dashboard.appear()
    board.see(".wfnb-about", "predicted")
    board.see(".wfnb-outlook", "2 workers")
    board.open_tab("timeline")
    board.see(".wfnb-timesay", "planned: 5 tasks on 2 workers")
    board.find(".wfnb-select").select_option("simple")
    board.see(".wfnb-timesay", "planned: 5 tasks")
    board.find(".wfnb-top .wfnb-button.is-main").click()
    board.see(".wfnb-about", "done")
    board.see(".wfnb-clock", "predicted")


MANY = (
    BEGIN
    + """
@wfnb.task
def load(n):
    return n

@wfnb.task
def score(x, common):
    return x

@wfnb.task
def merge(*scores):
    return len(scores)

common = load(0)
few = merge(*[score(load(n), common) for n in range(500)])
fan = merge(*[score(n, common) for n in range(2000)])
run = wfnb.start(few)
other = wfnb.start(fan)
run.wait(), other.wait()
"""
)
SHOW = "display(Dashboard({0}.graph).follow({0}))"
COMPLETE_MS, DEAF_MS = 1000, 200
"""Budgets on a machine of their own; one shared with others is given twice as long."""


@IN_LAB
def test_many_tasks_are_shown_at_once_and_the_page_stays_awake(notebook: Open, screenshots: Path):
    page = notebook(
        BEGIN + "display(Dashboard(wfnb.plan(wfnb.task(len)([])).graph))",
        MANY,
        SHOW.format("run"),
        SHOW.format("other"),
    )
    page.run(0)
    page.dashboard.appear()
    page.run(1)
    for cell, fold in ((2, "score@1"), (3, "score@1")):
        page.page.evaluate("window.began = performance.now()")
        page.run(cell, wait=False)
        page.until(
            f"document.querySelectorAll('.wfnb').length == {cell} && [...document"
            ".querySelectorAll('.wfnb')].at(-1).querySelector('.wfnb-card[data-state=done]')"
        )
        took = page.page.evaluate("performance.now() - window.began")
        board = page.dashboards()[-1]
        board.see(".wfnb-about", "done")
        page.longest_task()
        board.click(fold, times=2)
        page.eventually(lambda b=board: b.find(".wfnb-frame").count() == 1, "unfolded")
        board.open_tab("timeline")
        board.see(".wfnb-timesay", "bars on")
        assert page.longest_task() < 2 * DEAF_MS
        assert took < 2 * COMPLETE_MS
    board.photograph(screenshots / "fan.png")
    board.find(".wfnb-frame .wfnb-fold").click()
    page.eventually(lambda: board.find(".wfnb-frame").count() == 0, "folded again")
