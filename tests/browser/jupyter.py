"""A real Jupyter server, a browser on one of its notebooks, and words for what a person does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request

#: A workspace of its own for each page: in a shared one JupyterLab brings back earlier notebooks.
FRONT_ENDS = {
    "lab": "lab/workspaces/{name}/tree/{name}.ipynb",
    "notebook": "notebooks/{name}.ipynb",
}
PATIENCE_SECONDS = 40.0
START_SECONDS = 90.0
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = (
    "--ServerApp.open_browser=False",
    "--ServerApp.allow_root=True",
    "--ServerApp.port=0",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--LanguageServerManager.autodetect=False",
)


class JupyterServer:
    """Serves JupyterLab and Notebook 7 from one folder, on a port of its own choosing."""

    def __init__(self, home: Path) -> None:
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir()
        runtime = home / "runtime"
        environment = {
            **os.environ,
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        _quieten(home / "settings")
        self._log = (home / "server.log").open("w")
        token = secrets.token_hex(16)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", *SETTINGS),
                f"--ServerApp.root_dir={self.notebooks}",
                f"--IdentityProvider.token={token}",
            ],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url, self.token = "", token
        try:
            self._wait_for(runtime)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.url:
            self.end_kernels()
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def end_kernels(self) -> None:
        for session in self.ask("sessions"):
            self.ask(f"sessions/{session['id']}", method="DELETE")

    def ask(self, what: str, *, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self.url}api/{what}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def write(self, cells: Sequence[str], *, front_end: str) -> str:
        """A new notebook with these cells; its address in this front end."""
        name = secrets.token_hex(4)
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{at}",
                    "metadata": {},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for at, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.notebooks / f"{name}.ipynb").write_text(json.dumps(notebook))
        return f"{self.url}{FRONT_ENDS[front_end].format(name=name)}?token={self.token}"

    def file_of(self, address: str) -> Path:
        return self.notebooks / address.partition("?")[0].rpartition("/")[2]

    def _wait_for(self, runtime: Path) -> None:
        wait_until(
            # It is there before it is written.
            lambda: any(about.stat().st_size for about in runtime.glob("jpserver-*.json")),
            timeout_seconds=START_SECONDS,
            description="a Jupyter server",
        )
        (about,) = runtime.glob("jpserver-*.json")
        self.url = json.loads(about.read_text())["url"]
        wait_until(self._answers, timeout_seconds=START_SECONDS, description="its answer")

    def _answers(self) -> bool:
        try:
            return self.ask("status") is not None
        except OSError:
            return False


def _quieten(settings: Path) -> None:
    """No offer of news over the notebook."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    (folder / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')


#: What the front ends themselves say in red, with or without a dashboard.
NOT_OURS = (
    "Unsatisfied version",
    "Failed to load resource",
    "reading 'schema'",
    "'filebrowser:open-path' not registered",
    "The preloaded",
    "Download the React DevTools",
    "widget model not found",  # a notebook without its kernel, reopened
)


@dataclass
class Notebook:
    """A notebook in a page."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, context: BrowserContext, address: str) -> Notebook:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        notebook = cls(page, address)
        page.on("console", notebook._said)
        page.on("pageerror", lambda error: notebook._failed(str(error)))
        page.on("request", notebook._requested)
        page.goto(address)
        notebook.ready()
        return notebook

    def ready(self) -> None:
        """The kernel is there and idle."""
        self.until(
            "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"
            " === 'idle'"
        )

    def until(self, expression: str) -> None:
        self.page.wait_for_function(expression)

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run a cell as a person does; without `wait` it may still run afterwards."""
        self.page.evaluate(
            """async ([cell, wait]) => {
                const app = window.jupyterapp;
                app.shell.currentWidget.content.activeCellIndex = cell;
                const ran = app.commands.execute("notebook:run-cell");
                if (wait) await ran;
            }""",
            [cell, wait],
        )
        if wait:
            assert "Error: " not in self.text(cell), self.text(cell)

    def write(self, cell: int, code: str) -> None:
        """Put this in place of a cell's code, as an editor does."""
        self.page.evaluate(
            """([cell, code]) => window.jupyterapp.shell.currentWidget.content
                .widgets[cell].model.sharedModel.setSource(code)""",
            [cell, code],
        )

    def command(self, name: str, **arguments: object) -> None:
        self.page.evaluate(
            "([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, arguments]
        )

    def text(self, cell: int) -> str:
        """What a cell has printed or shown as text."""
        return str(
            self.page.evaluate(
                """cell => {
                    const outputs = window.jupyterapp.shell.currentWidget.content
                        .widgets[cell].model.outputs.toJSON();
                    const joined = (text) => [text || ""].flat().join("");
                    return outputs.map((o) => o.ename ? o.ename + ": " + o.evalue
                        : joined(o.text || (o.data || {})["text/plain"])).join("");
                }""",
                cell,
            )
        )

    def restart(self) -> None:
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.ready()

    def save(self) -> None:
        self.command("docmanager:save")
        self.until("!jupyterapp.shell.currentWidget.context.model.dirty")

    def longest_task(self) -> float:
        """Milliseconds that the page was deaf for, at most, since this was asked before."""
        longest: float = self.page.evaluate("Math.max(0, ...longTasks.splice(0))")
        return longest

    def is_busy(self, cell: int) -> bool:
        """Whether a cell's number is a star."""
        prompt = self.page.locator(".jp-Cell").nth(cell).locator(".jp-InputPrompt").first
        return "*" in (prompt.text_content() or "")

    @property
    def dashboard(self) -> Dashboard:
        return Dashboard(self, self.page.locator(".wfnb").first)

    def dashboards(self) -> list[Dashboard]:
        return [Dashboard(self, each) for each in self.page.locator(".wfnb").all()]

    def eventually(self, condition: Callable[[], object], description: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{description}: not so; {self.state()}"
            self.page.wait_for_timeout(30)

    def state(self) -> str:
        """For whoever reads of a failure."""
        cells = self.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")
        return f"page said {self.errors}, cells {[self.text(cell) for cell in range(cells)]}"

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._failed(message.text)

    def _failed(self, text: str) -> None:
        if not any(known in text for known in NOT_OURS):
            self.errors.append(text)

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)


@dataclass
class Dashboard:
    notebook: Notebook
    root: Locator

    def find(self, selector: str) -> Locator:
        return self.root.locator(selector)

    def appear(self) -> Dashboard:
        """All there: drawn cards on a cytoscape core that holds as many nodes."""
        self.notebook.eventually(lambda: self.find(".wfnb-card").count(), "a dashboard")
        return self

    def card(self, name: str) -> Locator:
        return self.find(f'.wfnb-card[data-node="{name}"]')

    @property
    def names(self) -> list[str]:
        return self.find(".wfnb-card .wfnb-name").all_text_contents()

    def has(self, *names: str) -> bool:
        return set(names) <= set(self.names)

    def open_tab(self, name: str) -> None:
        tab = self.find(".wfnb-tab").filter(has_text=name)
        if tab.get_attribute("aria-expanded") != "true":
            tab.click()

    def state(self, name: str) -> str:
        return self.card(name).get_attribute("data-state") or ""

    def is_stale(self, name: str) -> bool:
        return "is-stale" in (self.card(name).get_attribute("class") or "")

    def click(self, name: str, *, times: int = 1) -> None:
        """With the mouse, where the card is: what answers is cytoscape's own canvas."""
        self.root.scroll_into_view_if_needed()
        box = self._resting_place(name)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.notebook.page.mouse.click(x, y, click_count=times, delay=20)

    def _resting_place(self, name: str) -> dict[str, float]:
        """Where a card is, once it no longer moves."""
        places = [None, self.card(name).bounding_box()]
        while places[-1] is None or places[-1] != places[-2]:
            self.notebook.page.wait_for_timeout(120)
            places.append(self.card(name).bounding_box())
        return places[-1]

    def see(self, selector: str, text: str) -> None:
        """Wait until something shows this text."""
        self.find(selector).filter(has_text=text).first.wait_for()

    def photograph(self, path: Path) -> None:
        self.notebook.page.wait_for_timeout(600)  # a click has made room for the inspector
        # Not by playwright's `path`: it would leave a thread behind.
        self.root.scroll_into_view_if_needed()
        path.write_bytes(self.root.screenshot())

    @property
    def core(self) -> dict[str, int]:
        """How many nodes and edges the cytoscape core holds."""
        counted: dict[str, int] = self.find(".custom-widget").evaluate(
            "el => ({nodes: el._cyreg.cy.nodes().length, edges: el._cyreg.cy.edges().length})"
        )
        return counted
