"""A page under measurement: instruments in the browser, and what they have recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.jupyter import PATIENCE_SECONDS, JupyterServer, Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WARNINGS = ("message rate exceeded", "data rate exceeded")
SETUP = "from benchmarks.notebook_kernel import *\nbegin()"
REPOSITORY = Path(__file__).parents[1]

INSTRUMENTS = """
window.bench = {
    longTasks: [], messages: [], frames: [], rows: 0,

    // All of the last panel's cards are drawn, with states.
    picture() {
        const board = [...document.querySelectorAll(".wfnb")].at(-1);
        const cards = board ? [...board.querySelectorAll(".wfnb-card")] : [];
        const states = cards.map(card => card.dataset.state);
        const bar = board && board.querySelector(".wfnb-progress [role=progressbar]");
        const isDrawn = cards.length > 0 && states.every(Boolean) && !states.includes("none")
            && bar && +bar.getAttribute("aria-valuemax") > 0;
        return isDrawn ? {
            at: Date.now(), cards: cards.length, done: +bar.getAttribute("aria-valuenow"),
            counts: [...bar.children].map(part => part.hidden ? 0 : +part.style.flexGrow),
        } : null;
    },

    // Once the browser has painted what it shows now; in a frame, that is when it is over.
    painted: (act, isInFrame) =>
        isInFrame ? setTimeout(act) : requestAnimationFrame(() => setTimeout(act)),

    until: (find, patience = PATIENCE_MS) => new Promise((found, failed) => {
        const deadline = performance.now() + patience;
        const look = (isInFrame) => {
            const seen = find();
            if (performance.now() > deadline) failed(new Error("not seen: " + find));
            else if (seen) bench.painted(() => found({...seen, painted: Date.now()}), isInFrame);
            else requestAnimationFrame(look);
        };
        look();
    }),

    async show(cell) {
        const before = document.querySelectorAll(".wfnb").length, began = Date.now();
        jupyterapp.shell.currentWidget.content.activeCellIndex = cell;
        jupyterapp.commands.execute("notebook:run-cell");
        const isNew = () => document.querySelectorAll(".wfnb").length > before && bench.picture();
        return {began, ...await bench.until(isNew)};
    },

    // From the moment a person lets go of the mouse until something else is in the inspector.
    await_answer() {
        const title = () => ([...document.querySelectorAll(".wfnb")].at(-1)
            .querySelector(".wfnb-inspector:not([hidden]) .wfnb-title") || {}).textContent || "";
        const before = title();
        let began = 0;
        addEventListener("mouseup", event => { began = event.timeStamp; },
            {capture: true, once: true});
        bench.answered = bench.until(() => began && title() !== before && {}, UNANSWERED_MS)
            .then(() => performance.now() - began, () => UNANSWERED_MS);
    },

    listen() {
        const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        kernel.iopubMessage.connect((_, {header, content}) => {
            const type = header.msg_type;
            if (type !== "comm_msg" && type !== "update_display_data") return;
            bench.messages.push(performance.now());
            const told = type === "comm_msg" && content.data.content;
            if (!told || !told.d || !["p", "all"].includes(told.t)) return;
            const frame = {heard: Date.now(), rows: told.d.map(row => row.slice(0, 6))};
            // Its panel has asked for a frame, or does so at once: by the second it is drawn.
            requestAnimationFrame(() => requestAnimationFrame(() => {
                frame.shown = Date.now();
                frame.done = (bench.picture() || {done: -1}).done;
                bench.frames.push(frame);
            }));
        });
    },
};
new PerformanceObserver(list => bench.longTasks.push(...list.getEntries().map(e => e.duration)))
    .observe({type: "longtask"});
""".replace("PATIENCE_MS", f"{1000 * PATIENCE_SECONDS:g}").replace("UNANSWERED_MS", "3000")

UNFOLD = """
() => {
    const board = [...document.querySelectorAll(".wfnb")].at(-1), tried = new Set();
    const find = () => [...board.querySelectorAll(".wfnb-card.is-fold")]
        .find(card => !tried.has(card.dataset.node));
    for (let card = find(); card && tried.size < 60; card = find()) {
        tried.add(card.dataset.node);
        card.focus();
        card.dispatchEvent(new KeyboardEvent("keydown", {key: " ", bubbles: true}));
    }
}
"""


@dataclass
class Page:
    """A notebook with instruments, on a page that has shown a panel before."""

    notebook: Notebook

    def show(self, cell: int) -> dict[str, Any]:
        """Run a cell that may block: when its panel was all there, and how it looked."""
        picture: dict[str, Any] = self.ask(f"bench.show({cell})")
        self.longest_task()
        return picture

    def said(self, cell: int) -> dict[str, Any]:
        """What a cell has printed in the end."""
        last = self.notebook.text(cell).strip().splitlines()
        found: dict[str, Any] = json.loads(last[-1] if last else "null")
        return found

    def done(self, cell: int) -> dict[str, Any]:
        """The same, once it has ended."""
        self.notebook.eventually(lambda: not self.notebook.is_busy(cell), f"cell {cell} has ended")
        self.notebook.eventually(lambda: self.notebook.text(cell), f"cell {cell} has printed")
        return self.said(cell)

    def run(self, cell: int) -> dict[str, Any]:
        self.notebook.run(cell)
        return self.said(cell)

    def ask(self, expression: str) -> Any:
        return self.notebook.page.evaluate(expression)

    def longest_task(self) -> float:
        """In milliseconds, since this was asked before."""
        longest: float = self.ask("Math.max(0, ...bench.longTasks.splice(0))")
        return longest

    def click(self, name: str, *, times: int = 1) -> float:
        """Milliseconds until a click on a card was answered."""
        self.ask("bench.await_answer()")
        self.board.click(name, times=times)
        took: float = self.ask("bench.answered")
        return took

    def clicks(self, number: int) -> list[float]:
        """On cards in turn, other than the one before."""
        cards = self.ask(
            "[...[...document.querySelectorAll('.wfnb')].at(-1).querySelectorAll('.wfnb-card')]"
            ".map(card => card.dataset.node)"
        )
        return [self.click(cards[at % len(cards)]) for at in range(number)]

    def unfold(self) -> None:
        """Every fold that can be unfolded, one within another, by the keyboard."""
        self.ask(UNFOLD)

    @property
    def board(self) -> Any:
        return self.notebook.dashboards()[-1]


@dataclass
class Place:
    """One server and one browser."""

    server: JupyterServer
    browser: Browser
    home: Path

    @contextmanager
    def page(self, *cells: str) -> Iterator[Page]:
        """Cells after the first, which makes the page warm."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 1000})
        context.add_init_script(INSTRUMENTS)
        try:
            address = self.server.write((SETUP, *cells), front_end="lab")
            notebook = Notebook.open(context, address)
            notebook.run(0)
            notebook.dashboard.appear()
            notebook.page.evaluate("bench.listen()")
            yield Page(notebook)
        finally:
            context.close()
            self.server.end_kernels()

    def warnings(self) -> int:
        """Of messages that come too fast, since the server is up."""
        log = (self.home / "server.log").read_text(errors="replace").lower()
        return sum(log.count(words) for words in WARNINGS)


def use_private_folders(home: Path) -> None:
    """A store, a pool and settings of our own; kernels and workers find this repository."""
    for name in ("STATE_HOME", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME", "RUNTIME_DIR"):
        folder = home / name.lower()
        folder.mkdir(mode=0o700)
        os.environ[f"XDG_{name}"] = str(folder)
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR"):
        os.environ[name] = str(home / name.lower())
    os.environ["PYTHONPATH"] = str(REPOSITORY)
