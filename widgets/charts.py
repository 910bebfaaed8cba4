"""Charts of runs: a table in, an Altair chart out, to be changed and combined like any other.

    from wfnb.widgets.charts import timeline_chart
    timeline_chart(run.tasks).properties(width=500)

Altair's own display fetches its scripts from the network, and what JupyterLab 4.6 has built in is
too old for Altair 6. So these charts show themselves as SVG, drawn here, which reads the same in
JupyterLab, Notebook 7, saved notebooks and nbconvert's HTML, with the network cut. For tooltips
say `altair.renderers.enable("jupyter", offline=True)`: a renderer that was chosen is obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from wfnb.errors import WfnbError
from wfnb.metrics import Table
from wfnb.widgets.chart_bars import lanes_of
from wfnb.widgets.chart_frames import (
    duration_frame,
    duration_points,
    planned_bars,
    prediction_frame,
    real_bars,
    sorted_workers,
    timeline_frame,
    utilisation_frame,
)
from wfnb.widgets.chart_marks import (
    BUSY,
    CLOCK,
    COUNTS,
    DARK,
    DETAILS,
    LANE,
    LOUD,
    MIDDLE,
    MOST_TOLD_APART,
    WIDTH,
    WORDS,
    count,
    function_looks,
    label,
    round_times,
    state_looks,
    time_domain,
)
from wfnb.widgets.chart_picture import MISSING, can_draw, drawn
from wfnb.widgets.chart_substitute import redrawn
from wfnb.widgets.palette import INK, LINE, NEUTRAL, PAPER

if TYPE_CHECKING:
    import altair


def timeline_chart(
    frame: Table, planned: Table | None = None, *, now: float | None = None
) -> altair.LayerChart:
    """Draw who worked on what and when, and behind it what was planned.

    `frame` is a run's `tasks`; `planned` has the columns id, worker, start and end, in seconds
    since the start of the run. What is running ends `now`. Beyond 40 workers neighbours share a
    lane; beyond 2,000 bars, neighbours of one state are one bar.
    """
    alt = altair_itself()
    real, plan = real_bars(frame, now=now), planned_bars(planned)
    table = timeline_frame(frame, real, plan)
    end = max(real.end, plan.end) or 1.0
    lanes = lanes_of(sorted_workers(real, plan)).values()
    place = {"x": _since_start(end), "y": _lane(lanes)}
    ranged = {**place, "x2": "shown:Q", "color": _state_colour(table["state"])}
    base = alt.Chart().transform_calculate(shown=f"max(datum.end, datum.start + {end / WIDTH!r})")
    happened = base.transform_filter("datum.kind == 'real'")
    loud = alt.FieldOneOfPredicate("state", LOUD)
    layers = [
        base.transform_filter("datum.kind == 'planned'")
        .mark_bar(size=24, stroke=LINE, strokeDash=[3, 2], strokeWidth=1)
        .encode(**ranged, tooltip=_tips("id", "worker", "start", "end")),
        happened.mark_bar(cornerRadius=2, stroke=NEUTRAL, strokeWidth=0.5).encode(
            **ranged,
            size=alt.condition(loud, alt.value(24), alt.value(15)),
            tooltip=_tips(*DETAILS),
        ),
        happened.transform_filter("datum.sign != ''")
        .mark_text(align="left", dx=4)
        .encode(**place, color=_state_ink(), text=alt.value(alt.expr(label(end)))),
    ]
    told = f"timeline: {count(frame, 'task')} on {count(real.workers, 'worker')}"
    return layered(layers, data=table, told=told)


def utilisation_chart(frame: Table, *, now: float | None = None) -> altair.LayerChart:
    """Draw which share of each moment each worker was busy; full height is all the time."""
    alt = altair_itself()
    real = real_bars(frame, now=now)
    table = utilisation_frame(frame, real)
    y = _lane(table["worker"])
    height = alt.Size("share:Q", scale=alt.Scale(domain=[0, 1], range=[0, 21]), legend=None)
    tips = ["worker:N", alt.Tooltip("share:Q", format=".0%"), *_tips("start", "end")]
    bars = alt.Chart().transform_filter("datum.share > 0.002").mark_bar(color=BUSY)
    layers = [
        bars.encode(x=_since_start(real.end or 1.0), x2="end:Q", y=y, size=height, tooltip=tips),
        alt.Chart()
        .transform_aggregate(mean="mean(share)", groupby=["worker"])
        .mark_text(align="left", dx=8)
        .encode(x=alt.value("width"), y=y, text=alt.Text("mean:Q", format=".0%")),
    ]
    return layered(layers, data=table, told=f"utilisation of {count(real.workers, 'worker')}")


def duration_chart(frame: Table) -> altair.LayerChart:
    """Draw how long tasks took, by function: each of them, the middle half, and the median.

    Of the tasks that succeeded. The function that took longest in all comes first; beyond 24, the
    briefest share a row.
    """
    alt = altair_itself()
    table, points = duration_frame(frame), duration_points(frame)
    functions = table["function"].tolist()
    scale = _times([*table["least"], *table["most"]])
    y = _lane(functions, "function", nobody="no task done yet")
    tips = ["function:N", "tasks:Q", *_tips("total", "least", "quarter", "median", "most")]
    every, summary = alt.Chart(points), alt.Chart(table)
    layers = [
        summary.mark_rule(color=LINE).encode(x=_took("least", scale), x2="most:Q", y=y),
        summary.mark_bar(size=14, color=MIDDLE, cornerRadius=2).encode(
            x=_took("quarter", scale), x2="three_quarters:Q", y=y, tooltip=tips
        ),
        every.mark_tick(size=14, thickness=1, color=INK, opacity=0.4).encode(
            x=_took("seconds", scale), y=y, tooltip=_tips("id", "function", "seconds")
        ),
        summary.mark_tick(size=22, thickness=3, color=BUSY).encode(
            x=_took("median", scale), y=y, tooltip=tips
        ),
        summary.transform_calculate(
            label="format(datum.tasks, ',') + (datum.tasks > 1 ? ' tasks' : ' task')"
        )
        .mark_text(align="left", dx=8)
        .encode(x=alt.value("width"), y=y, text="label:N"),
    ]
    return layered(layers, told=f"times of the tasks of {count(functions, 'function')}")


def prediction_chart(frame: Table, planned: Table | None = None) -> altair.LayerChart:
    """Draw the predicted time of each task against its real one; on the line they agree.

    Predictions come from `planned`, as in `timeline_chart`, or from a column predicted_seconds.
    """
    alt = altair_itself()
    table = prediction_frame(frame, planned, functions=MOST_TOLD_APART)
    scale = _times([*table["predicted_seconds"], *table["seconds"]])
    agreed = type(frame)({"predicted_seconds": scale.domain, "seconds": scale.domain})
    place = {
        "x": _took("predicted_seconds", scale, title="predicted time"),
        "y": _took("seconds", scale, title="real time", channel="Y"),
    }
    names, colours, shapes = function_looks(table["function"].tolist())
    legend = alt.Legend(title=None, orient="top") if names else None
    layers = [
        alt.Chart(agreed).mark_line(color=LINE, strokeDash=[5, 4]).encode(**place),
        alt.Chart(table)
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(
            **place,
            color=alt.Color("function:N", scale=_scale(names, colours), legend=legend),
            shape=alt.Shape("function:N", scale=_scale(names, shapes), legend=legend),
            tooltip=_tips("id", "function", "predicted_seconds", "seconds"),
        ),
    ]
    chart = layered(layers, told=f"predicted and real times of {count(table, 'task')}")
    return chart.properties(width=400, height=400)


# Display


def chart_svg(chart: Any) -> str:
    """Draw any Altair chart as it looks in a notebook, without a network; needs vl-convert."""
    alt = altair_itself()
    if not can_draw():
        raise WfnbError(MISSING)
    with alt.data_transformers.enable("default", max_rows=None):
        return drawn(chart.to_dict(), alt.SCHEMA_VERSION.removeprefix("v"))


def chart_bundle(chart: Any) -> dict[str, str]:
    """Give what a notebook shows of a chart: SVG, and a line of text without times.

    Without vl-convert the text says so, and a timeline is drawn in wfnb's own way.
    """
    told = chart.description if isinstance(chart.description, str) else "chart"
    if can_draw():
        return {"image/svg+xml": chart_svg(chart), "text/plain": f"<{told}>"}
    text = {"text/plain": f"<{told}>\n{MISSING}"}
    svg = redrawn(chart.data, note=MISSING)
    return text if svg is None else {"image/svg+xml": svg, **text}


def show_chart(chart: Any) -> None:
    """Show any Altair chart in a notebook, without a network."""
    from IPython.display import display

    display(chart_bundle(chart), raw=True)  # type: ignore[no-untyped-call]


@cache
def _self_showing() -> type[altair.LayerChart]:
    altair_itself()
    import altair

    class LayerChart(altair.LayerChart):
        """Altair's own, but for its display; what is made of it by its methods stays one."""

        def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
            if altair.renderers.active != "default":
                return super()._repr_mimebundle_(*args, **options)
            return chart_bundle(self)

    return LayerChart


def altair_itself() -> Any:
    try:
        import altair
    except ImportError as error:
        raise WfnbError(
            "charts need altair: `pip install wfnb[charts]`; without it, "
            "wfnb.widgets.timeline_svg.timeline_svg(run.timeline) draws the timeline"
        ) from error
    return altair


# Parts

_SINCE = "seconds since the start of the run"


def layered(layers: Sequence[Any], *, told: str, **options: Any) -> altair.LayerChart:
    chart = _self_showing()(layer=list(layers), **options)
    return chart.properties(width=WIDTH, height=altair_itself().Step(LANE), description=told)


def _since_start(end: float) -> Any:
    alt = altair_itself()
    scale = alt.Scale(domain=[0, end], nice=False)
    return alt.X("start:Q", title=_SINCE, scale=scale, axis=alt.Axis(tickCount=10))


def _lane(names: Iterable[str], field: str = "worker", *, nobody: str = "no worker yet") -> Any:
    """Put names in the order in which they first occur; without any, an axis stands there too."""
    alt = altair_itself()
    lanes = list(dict.fromkeys(names)) or [nobody]
    return alt.Y(f"{field}:N", title=None, sort=lanes, scale=alt.Scale(domain=lanes))


def _times(seconds: Iterable[float]) -> Any:
    domain, kind = time_domain(seconds)
    return altair_itself().Scale(domain=domain, type=kind, nice=False)


def _took(column: str, scale: Any, *, title: str = "time of a task", channel: str = "X") -> Any:
    alt = altair_itself()
    written = {"values": round_times(scale.domain)} if scale.type == "log" else {"tickCount": 7}
    axis = alt.Axis(labelExpr=CLOCK, **written)
    return getattr(alt, channel)(f"{column}:Q", title=title, scale=scale, axis=axis)


def _scale(names: Sequence[str], looks: Sequence[str]) -> Any:
    return altair_itself().Scale(domain=names, range=looks)


def _state_colour(words: Iterable[str]) -> Any:
    alt = altair_itself()
    states, colours, signs = state_looks(words)
    # An empty legend has no size, and neither has the chart then.
    legend = alt.Legend(title=None, orient="top", labelExpr=signs) if states else None
    return alt.Color("state:N", scale=_scale(states, colours), legend=legend)


def _state_ink() -> Any:
    alt = altair_itself()
    return alt.condition(alt.FieldOneOfPredicate("state", DARK), alt.value(PAPER), alt.value(INK))


def _tips(*columns: str) -> list[Any]:
    alt = altair_itself()
    tips = []
    for name in columns:
        title = name.removesuffix("_seconds").replace("_", " ")
        if name in WORDS:
            tips.append(alt.Tooltip(f"{name}:N", title=title))
        elif name in COUNTS:
            tips.append(alt.Tooltip(f"{name}:Q", title=title))
        else:
            named = title if name == "seconds" else f"{title} (s)"
            tips.append(alt.Tooltip(f"{name}:Q", title=named, format=".4g"))
    return tips
