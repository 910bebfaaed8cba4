"""A chart of plans side by side: how long each takes, and what it costs."""

from __future__ import annotations

from typing import Any

from wfnb.metrics import Table
from wfnb.predictions.explaining import in_words
from wfnb.widgets.chart_marks import BUSY, LANE, MIDDLE, count
from wfnb.widgets.charts import altair_itself, layered


def comparison_chart(frame: Table) -> Any:
    """Draw the makespan and the cost of each planner, against the longest and the dearest.

    `frame` is a comparison's, and what comes back a chart of Altair's. Cost is in GB-s where memory
    is limited, else in CPU-s.
    """
    alt = altair_itself()
    table = comparison_frame(frame)
    measures = list(dict.fromkeys(table["measure"]))
    place = {
        "x": alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, 1.15])),
        "y": alt.Y("planner:N", title=None, sort=list(frame.index)),
        "yOffset": alt.YOffset("measure:N", sort=measures),
    }
    looks = alt.Scale(domain=measures, range=[BUSY, MIDDLE])
    legend = alt.Legend(title=None, orient="top")
    layers = [
        alt.Chart()
        .mark_bar(cornerRadius=2)
        .encode(
            **place,
            color=alt.Color("measure:N", scale=looks, legend=legend),
            tooltip=["planner:N", "measure:N", "label:N"],
        ),
        alt.Chart().mark_text(align="left", dx=4).encode(**place, text="label:N"),
    ]
    chart = layered(layers, data=table, told=f"plans by {count(frame, 'planner')}")
    return chart.properties(height=alt.Step(LANE / 2))


def comparison_frame(frame: Table) -> Table:
    """A row for each bar; bars are as long as their share of the longest of their kind."""
    unit = "GB-s" if frame["gb_seconds"].any() else "CPU-s"
    costs = frame["gb_seconds" if unit == "GB-s" else "cpu_seconds"]
    times = frame["makespan_seconds"]
    bars = [
        *(
            (name, "makespan", each / (max(times) or 1), in_words(each))
            for name, each in times.items()
        ),
        *(
            (name, f"cost in {unit}", each / (max(costs) or 1), f"{each:,.2f}")
            for name, each in costs.items()
        ),
    ]
    made: Table = type(frame)(bars, columns=["planner", "measure", "share", "label"])
    return made
