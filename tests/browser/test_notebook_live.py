"""What `%wf` shows in a real page: a draft that grows with its cells, runs, plans, and a form."""

from __future__ import annotations

from pathlib import Path

from tests.browser.conftest import Open

BEGIN = "import comm, wfnb\n%load_ext wfnb"
COMMS = "print(len(comm.get_comm_manager().comms))"
LOAD = "%%task load\ndata = [3, 1, 2]"
CLEAN = "%%task clean\nrows = sorted(data)"


def test_the_draft_grows_cell_by_cell_and_says_what_is_stale(
    notebook: Open, screenshots: Path, front_end: str
):
    page = notebook(BEGIN, LOAD, "%wf show", CLEAN, "%wf run rows", "print(rows)")
    for cell in range(3):
        page.run(cell)
    draft = page.dashboard.appear()
    assert draft.has("load")
    page.run(3)
    page.eventually(lambda: draft.has("load", "clean"), "the draft has grown")
    page.run(4)
    page.run(5)
    assert page.text(5).strip() == "[1, 2, 3]"
    run = page.dashboards()[1].appear()
    page.eventually(lambda: run.state("clean") in ("done", "reused"), "the run is shown to its end")
    page.write(1, LOAD.replace("2", "5"))
    page.run(1)
    page.eventually(lambda: draft.is_stale("clean"), "clean is stale")
    draft.photograph(screenshots / f"stale_{front_end}.png")


def test_what_a_cell_shows_is_freed_when_it_runs_again(notebook: Open):
    page = notebook(BEGIN, "@wfnb.task\ndef one(): return 1\nanswer = one()", "answer", COMMS)
    for cell in range(4):
        page.run(cell)
    page.dashboard.appear()
    before = page.text(3)
    for _ in range(3):
        page.run(2)
    page.run(3)
    assert page.text(3) == before


def test_a_task_a_plan_and_a_run_show_themselves_and_run_from_the_bar(notebook: Open):
    page = notebook(
        BEGIN,
        "@wfnb.task\ndef one(): return 1\nanswer = one()\nanswer",
        "%wf plan uniform answer",
        "run = wfnb.start(answer); run.wait(); run",
    )
    for cell in range(4):
        page.run(cell)
    boards = page.dashboards()
    assert len(boards) == 3
    for board in boards:
        assert board.appear().has("one-0")
    page.eventually(lambda: boards[2].state("one-0") == "done", "the run is shown")
    boards[0].find(".wfnb-button").filter(has_text="run").click()
    page.eventually(lambda: boards[0].state("one-0") == "done", "it was run from the bar")


def test_what_is_built_by_hand_enters_the_draft(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(BEGIN, "@wfnb.task\ndef one(): return 1", "%wf build", "print(one_0)")
    for cell in range(3):
        page.run(cell)
    page.page.get_by_role("button", name="add", exact=True).click()
    board = page.dashboard.appear()
    page.eventually(lambda: board.has("one-0"), "the built task is drawn")
    page.run(3)
    assert page.text(3).strip() == "<task one>"
    (screenshots / f"build_{front_end}.png").write_bytes(page.page.screenshot())
