"""Charts need no network: live in JupyterLab and Notebook 7, and as HTML that nbconvert made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.conftest import Open

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TABLE = """
import pandas
start = pandas.to_datetime([0.0, 1.0, 0.5, 1.2], unit="s", utc=True)
end = pandas.to_datetime([1.0, 2.5, 1.1, 3.0], unit="s", utc=True)
tasks = pandas.DataFrame({
    "id": ["load-0", "load-1", "fit-0", "fit-1"], "function": ["load", "load", "fit", "fit"],
    "state": ["done", "done", "failed", "done"], "worker": ["w1", "w1", "w2", "w2"],
    "attempt": 1, "start": start, "end": end, "seconds": [1.0, 1.5, 0.6, 1.8],
})
plan = pandas.DataFrame({
    "id": tasks["id"], "worker": tasks["worker"], "start": [0, 1, 0, 1], "end": [1, 2, 1, 2],
})
from wfnb.widgets.charts import (
    duration_chart, prediction_chart, show_chart, timeline_chart, utilisation_chart
)
"""
CHARTS = (
    "timeline_chart(tasks, plan)",
    "utilisation_chart(tasks)",
    "duration_chart(tasks)",
    "prediction_chart(tasks, plan)",
    "show_chart(timeline_chart(tasks))",
)
INTERACTIVE = """
import altair
altair.renderers.enable("jupyter", offline=True)
timeline_chart(tasks, plan)
"""
SEEN = """() => {
    const images = [...document.querySelectorAll(".jp-RenderedSVG img, .jp-RenderedSVG > svg")];
    return images.filter(i => i.tagName === "svg" || i.naturalWidth > 300).length;
}"""


@pytest.fixture(scope="module")
def bundles() -> list[dict[str, str]]:
    """What a kernel would have sent; for all tests at once, for the drawer's threads stay."""
    known: dict[str, Any] = {}
    exec(TABLE, known)
    return [eval(source, known)._repr_mimebundle_() for source in CHARTS[:-1]]


def others(addresses: list[str]) -> list[str]:
    """Those addresses that are not of this machine."""
    ours = ("http://localhost:", "http://127.0.0.1:", "file:", "data:", "blob:", "about:")
    return [address for address in addresses if not address.startswith(ours)]


def test_charts_ask_nothing_of_the_network(notebook: Open, screenshots: Path, front_end: str):
    page = notebook(TABLE, *CHARTS)
    for cell in range(1 + len(CHARTS)):
        page.run(cell)
    page.eventually(lambda: page.page.evaluate(SEEN) == len(CHARTS), "every chart is seen")
    assert page.text(1) == "<timeline: 4 tasks on 2 workers>"
    picture = page.page.locator(".jp-RenderedSVG").first.screenshot()
    (screenshots / f"chart_{front_end}.png").write_bytes(picture)
    assert others(page.requests) == []


def test_a_chart_with_tooltips_asks_nothing_of_the_network(notebook: Open):
    page = notebook(TABLE, INTERACTIVE)
    page.run(0)
    page.run(1)
    drawn = page.page.locator(".vega-embed canvas, .vega-embed svg").first
    drawn.wait_for()
    drawn.hover(position={"x": 190, "y": 50})
    page.page.locator("#vg-tooltip-element.visible").filter(has_text="load-0").wait_for()
    assert others(page.requests) == []


def test_a_saved_notebook_shows_its_charts_as_html_with_the_network_cut(
    browser: Browser, bundles: list[dict[str, str]], tmp_path: Path
):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(source) for source in CHARTS[:-1]]
    for cell, bundle in zip(book.cells, bundles, strict=True):
        cell.outputs = [nbformat.v4.new_output("display_data", bundle)]
    html, _ = HTMLExporter().from_notebook_node(book)
    (tmp_path / "charts.html").write_text(html)
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(f"file://{tmp_path / 'charts.html'}")
    page.wait_for_function(f"({SEEN})() === {len(bundles)}")
    context.close()
