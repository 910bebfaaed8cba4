"""The one home of ipycytoscape: a canvas that the companion fills, in the page, by one message.

Elements that ipycytoscape itself is given cost a comm each, and are laid out anew whenever one is
added. So it is given none: the companion puts them into the same cytoscape core. That way a fold
opens while a cell blocks, a graph grows without losing the zoom, and nothing leaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipycytoscape
import traitlets

from wfnb.widgets.palette import LINE

CRITICAL = "#d6249f"
"""No state's colour; the path is thicker too, and its cards have double borders."""

_STYLE: Sequence[dict[str, Any]] = (
    {
        "selector": "node",
        "style": {
            "shape": "round-rectangle",
            "width": "data(w)",
            "height": "data(h)",
            "background-opacity": 0,
            "border-width": 0,
            "overlay-opacity": 0,
        },
    },
    {
        "selector": "edge",
        "style": {
            "width": "data(width)",
            "curve-style": "unbundled-bezier",
            "edge-distances": "node-position",
            "control-point-distances": "data(distances)",
            "control-point-weights": "data(weights)",
            "source-endpoint": "50% 0%",
            "target-endpoint": "-50% 0%",
            "line-color": LINE,
            "line-opacity": 0.55,
            "target-arrow-color": LINE,
            "target-arrow-shape": "triangle",
            "arrow-scale": 0.8,
            "overlay-opacity": 0,
            "events": "no",
        },
    },
    {"selector": "edge.near", "style": {"line-opacity": 1, "width": 2.2}},
    {"selector": "edge.far", "style": {"line-opacity": 0.15}},
    {
        "selector": "edge.critical",
        "style": {
            "line-opacity": 1,
            "width": 3,
            "line-color": CRITICAL,
            "target-arrow-color": CRITICAL,
        },
    },
)


class _Canvas(ipycytoscape.CytoscapeWidget):
    """Its constructor makes two graphs and forgets the first, which would stay open for ever."""

    @traitlets.default("graph")
    def _forgotten(self) -> ipycytoscape.Graph:
        self.forgotten = ipycytoscape.Graph()
        return self.forgotten


class GraphPanel:
    """A cytoscape core on a page, and nothing in it yet."""

    def __init__(self) -> None:
        widget = _Canvas(auto_ungrabify=True, min_zoom=0.05, max_zoom=2.5)
        widget.forgotten.close()
        widget.set_style(list(_STYLE))
        widget.cytoscape_layout = {"name": "preset", "fit": False, "animate": False}
        widget.layout.height = None  # one given there is applied after a fit, and cuts the graph
        widget.set_tooltip_source("\0none")  # a tooltip would be written as HTML
        self.widget = widget

    @property
    def model(self) -> str:
        """By which the companion finds it."""
        found: str = self.widget.model_id
        return found

    def close(self) -> None:
        """Close its parts too, which would stay open otherwise."""
        for part in (self.widget.graph, self.widget.layout, self.widget):
            part.close()
