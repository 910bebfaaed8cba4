"""A chart's specification as SVG, needing no network, fit for any page; home of vl-convert.

The dress is put on last, by drawing: a chart that carries its own cannot be combined with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from xml.sax.saxutils import quoteattr

from wfnb.widgets.palette import INK, LINE, MUTED_INK, NEUTRAL, mix
from wfnb.widgets.svg import FONT, clean

MISSING = "charts are drawn by vl-convert: `pip install wfnb[charts]`"

_GRID = mix(NEUTRAL, LINE, share=0.25)
_DRESS: Mapping[str, Any] = {
    # An opaque card: a saved picture cannot know whether the page around it is light or dark.
    "background": NEUTRAL,
    # The drawer's font is narrower than some readers': names of lanes would touch the edge.
    "padding": {"left": 22, "top": 12, "right": 16, "bottom": 12},
    "config": {
        "font": FONT,
        # A label for each mark would be most of the picture; the whole has one.
        "aria": False,
        "view": {"stroke": None},
        "title": {"color": INK, "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 10},
        "axis": {
            "labelColor": INK,
            "titleColor": MUTED_INK,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelLimit": 150,
            "gridColor": _GRID,
            "domainColor": LINE,
            "tickColor": LINE,
        },
        "legend": {
            "orient": "top",
            "labelColor": INK,
            "labelFontSize": 11,
            "title": None,
            "symbolType": "square",
            "symbolSize": 110,
            "columnPadding": 14,
            "labelLimit": 180,
        },
        "text": {"color": INK, "fontSize": 10.5},
    },
}


def can_draw() -> bool:
    return find_spec("vl_convert") is not None


def drawn(spec: Mapping[str, Any], version: str) -> str:
    """Draw a Vega-Lite specification, made for that version of Vega-Lite, as SVG."""
    vl_convert: Any = import_module("vl_convert")
    svg: str = vl_convert.vegalite_to_svg(
        _over(_DRESS, spec), vl_version=".".join(version.split(".")[:2]), allowed_base_urls=[]
    )
    label = quoteattr(clean(str(spec.get("description", "chart"))))
    extra = f'<svg role="img" aria-label={label} style="max-width:100%;height:auto" '
    return svg.replace("<svg ", extra, 1)


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge: what the chart says goes before what it is dressed in."""
    merged = {**under, **over}
    for name, value in under.items():
        other = over.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            merged[name] = _over(value, other)
    return merged
