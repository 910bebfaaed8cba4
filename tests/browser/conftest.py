"""One server and one browser for all; skipped where there is no Chromium, failed there under CI."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.jupyter import CHROMIUM, FRONT_ENDS, JupyterServer, Notebook
from wfnb.session import Session

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Open = Callable[..., Notebook]

COUNT_LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver(list => longTasks.push(...list.getEntries().map(e => e.duration)))
        .observe({type: "longtask"});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        _lacking("there is no chromium here")
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError:
        _lacking("playwright is not installed")
    # Not for the whole session: while it is open, this thread has a running event loop.
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    server = JupyterServer(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.close()


@pytest.fixture(params=list(FRONT_ENDS))
def front_end(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def notebook(browser: Browser, jupyter: JupyterServer, front_end: str) -> Iterator[Open]:
    """Opens a notebook with these cells; in the end, no page may have complained.

    There is no network but the server's own.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.add_init_script(COUNT_LONG_TASKS)
    context.route(lambda url: not _is_here(url), lambda route: route.abort())
    opened: list[Notebook] = []

    def open_notebook(*cells: str, address: str = "") -> Notebook:
        address = address or jupyter.write(cells, front_end=front_end)
        opened.append(Notebook.open(context, address))
        return opened[-1]

    yield open_notebook
    complaints = [error for each in opened for error in each.errors]
    outside = [url for each in opened for url in each.requests if not _is_here(url)]
    context.close()
    jupyter.end_kernels()
    _cancel_runs()
    assert complaints == []
    assert outside == []


@pytest.fixture
def screenshots() -> Path:
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("http", "https", "ws") or parts.hostname in (
        "localhost",
        "127.0.0.1",
    )


def _cancel_runs() -> None:
    """A failed test must not leave workers to the next that wait for ever."""
    session = Session()
    for run in session.store.active_runs():
        session.store.cancel(run)
    session.close()


def _lacking(what: str) -> None:
    if os.getenv("CI"):
        pytest.fail(what)
    pytest.skip(what)
