"""What the task of a cell calls: the cell's code, names in and names out."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from wfnb.errors import CellError


@dataclass(frozen=True, eq=False)
class CellFunction:
    """Runs in a namespace of its own each time, as a notebook's top level would.

    None, one value, or of several outputs a dict by name is what it returns.
    """

    body: FunctionType
    """Its code is the cell's, as of a module; its globals are the code that the cell uses."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return self.body.__name__

    def __call__(self, /, *values: Any) -> Any:
        names = dict(self.body.__globals__)
        names.update(zip(self.inputs, values, strict=True))
        exec(self.body.__code__, names)
        for name in self.outputs:
            if name not in names:
                raise CellError(_missing(self.__name__, name, self.body.__code__))
        if len(self.outputs) == 1:
            return names[self.outputs[0]]
        return {name: names[name] for name in self.outputs} or None


def _missing(cell: str, name: str, code: CodeType) -> str:
    lines = (
        instruction.positions.lineno
        for instruction in dis.get_instructions(code)
        if instruction.argval == name
        and instruction.opname.startswith("STORE")
        and instruction.positions is not None
    )
    line = next((line for line in lines if line is not None), None)
    where = cell if line is None else f"{cell}, line {line}"
    message = f"{where}: the cell has ended without a value for `{name}`"
    return f"{message}: give it one on every path, or leave it out of --out"
