"""What the items of a map will be given: encoded when it is split, stored when that is reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wfnb import codec
from wfnb.graph import Graph
from wfnb.growth import item_ids
from wfnb.storage import Expansion
from wfnb.storage.outputs import Archive, refuse_too_big
from wfnb.tasks import TaskId


class Splits:
    """Elements of tasks that have split and not been reported."""

    def __init__(self, graph: Graph, archive: Archive) -> None:
        self._graph = graph
        self._archive = archive
        self._encoded: dict[TaskId, list[codec.Encoded]] = {}

    def keep(self, task: TaskId, values: Sequence[Any]) -> None:
        """Raises SerialisationError, naming the element, for what cannot travel."""
        self._encoded[task] = [
            _encoded(task, name, value)
            for name, value in zip(item_ids(task, len(values)), values, strict=True)
        ]

    def expansion(self, task: TaskId, attempt: int) -> Expansion:
        """Write the elements, each as an output of its own, and say what they are for."""
        elements, graph = self._encoded.pop(task), self._graph
        maps = graph.maps_of[graph.position[task]]
        return Expansion(
            count=len(elements),
            maps=[graph.ids[gather] for gather in maps],
            elements=self._archive.write_all(
                dict(zip(item_ids(task, len(elements)), elements, strict=True)), attempt
            ),
            hint=" ".join(graph.ids[constant] for constant in graph.maps[maps[0]].constants),
        )


def _encoded(task: TaskId, name: TaskId, value: Any) -> codec.Encoded:
    encoded = codec.encode(value, name=f"element {name.removeprefix(task)} of {task}")
    refuse_too_big(name, encoded)
    return encoded.owned() if encoded.buffers else encoded
