"""The top level of a cell in the order of execution: what it reads, binds, changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from wfnb.cell_bindings import Bindings, root_of

_FunctionDef: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_CHANGING = frozenset(
    "add append clear extend fit insert partial_fit pop remove reverse sort update".split()  # noqa: SIM905
)
_ALIKE = {
    "AsyncFunctionDef": "visit_FunctionDef",
    "MatchStar": "visit_MatchAs",
    "TryStar": "visit_Try",
    **dict.fromkeys(["ListComp", "SetComp", "DictComp", "GeneratorExp"], "visit_comprehended"),
}
_LEAVING = (ast.Raise, ast.Return, ast.Break, ast.Continue)


@dataclass(slots=True)
class Flow(ast.NodeVisitor):
    """Loops are taken to run at least once, and `try` to succeed.

    So a name that is bound there counts as defined behind it; one that only some ways of an `if`
    bind may also be read from elsewhere.
    """

    evaluates_annotations: bool
    names: Bindings = field(default_factory=Bindings)
    _depth: int = 0
    _guarded: int = 0

    def visit(self, node: ast.AST) -> None:
        alike = _ALIKE.get(type(node).__name__)
        if alike is None:
            ast.NodeVisitor.visit(self, node)
        else:
            getattr(self, alike)(node)

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)
            if not self._depth:
                self.names.ever |= self.names.certain

    def _bind(self, target: ast.expr, kind: str = "plain") -> None:
        if isinstance(target, ast.Name):
            self.names.store(target.id, target.lineno, kind)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, kind)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._bind(part, kind)
        else:
            self.visit(target)
            self.names.change(target)

    def visit_Name(self, node: ast.Name) -> None:
        self.names.read(node.id, node.lineno, is_needed=not self._guarded)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.names.store(node.target.id, node.target.lineno)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._bind(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.target)
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._bind(node.target)
        else:
            self.names.change(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if self.evaluates_annotations:
            self.visit(node.annotation)
        if node.value is not None:
            self._bind(node.target)

    def visit_TypeAlias(self, node: ast.AST) -> None:  # since Python 3.12; its value waits
        name: ast.Name = node.name  # type: ignore[attr-defined]
        self.names.store(name.id, name.lineno)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            for one in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                self.visit(one)
                if not isinstance(one, ast.Name):
                    self.names.change(one)
                else:
                    self.names.delete(one.id)

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            changed = self.names.from_elsewhere(call.func)
            is_changing = call.func.attr in _CHANGING or any(
                keyword.arg == "inplace" for keyword in call.keywords
            )
            if changed is not None and is_changing:
                self.names.calls.setdefault(changed, call.func.attr)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._import(name, ast.Import([alias]), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names if node.module != "__future__" else ():
            again = ast.ImportFrom(node.module, [alias], node.level)
            self._import(alias.asname or alias.name, again, node)

    def _import(self, name: str, again: ast.stmt, node: ast.stmt) -> None:
        is_plain = self._depth > 0  # whether it is imported, and from where, then depends
        self.names.store(name, node.lineno, "plain" if is_plain else "import")
        if not is_plain:
            self.names.imports.setdefault(name, []).append(again)

    def visit_FunctionDef(self, node: _FunctionDef) -> None:
        for part in (*node.decorator_list, *_defaults(node.args)):
            self.visit(part)
        if self.evaluates_annotations:
            self.names.hidden.append(_parameters_of_type(node))
            for annotation in _annotations(node):
                self.visit(annotation)
            self.names.hidden.pop()
        self.names.store(node.name, node.lineno)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in _defaults(node.args):
            self.visit(default)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        names = self.names
        names.hidden.append(_parameters_of_type(node))
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        outer, names.of_class, names.read_by_class = names.of_class, set(), set()
        self._inside(node.body)
        names.of_class = outer
        names.hidden.pop()
        names.store(node.name, node.lineno)

    def _inside(self, body: Iterable[ast.stmt]) -> None:
        self._depth += 1
        self.run(body)
        self._depth -= 1

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._bind(node.target, "aside")
        root = root_of(node.iter)
        if root is not None:
            for part in ast.walk(node.target):
                if isinstance(part, ast.Name) and root.id not in self.names.kinds:
                    self.names.elements[part.id] = root.id
        self._inside([*node.body, *node.orelse])

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._inside([*node.body, *node.orelse])

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, "aside")
        self.run(node.body)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._ways([lambda: self._way(node.body), lambda: self._way(node.orelse)])

    def _way(self, body: Sequence[ast.stmt]) -> bool:
        """Whether the code behind may be reached from it."""
        self._inside(body)
        return not (body and isinstance(body[-1], _LEAVING))

    def _ways(self, ways: Sequence[Callable[[], bool]]) -> None:
        """One of these is gone."""
        certain, possible = self.names.certain, self.names.possible
        ends = []
        for way in ways:
            self.names.certain, self.names.possible = set(certain), set(possible)
            if way():
                ends.append((self.names.certain, self.names.possible))
        ends = ends or [(certain, possible)]
        self.names.certain = set.intersection(*(end for end, _ in ends))
        self.names.possible = set.union(*(end for _, end in ends))

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        ways = [self._case(case) for case in node.cases]
        last = node.cases[-1]
        is_complete = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
        if not is_complete or last.guard is not None:
            ways.append(lambda: True)
        self._ways(ways)

    def _case(self, case: ast.match_case) -> Callable[[], bool]:
        def way() -> bool:
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            return self._way(case.body)

        return way

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.generic_visit(node)
        if node.name is not None:
            self.names.store(node.name, node.lineno, "aside")

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest is not None:
            self.names.store(node.rest, node.lineno, "aside")

    def visit_Try(self, node: ast.Try) -> None:
        is_guarded = any(_catches_name_error(handler) for handler in node.handlers)
        before = set(self.names.certain)
        self._guarded += is_guarded
        self._inside(node.body)
        self._guarded -= is_guarded
        after = self.names.certain
        for handler in node.handlers:
            self.names.certain = set(before)
            self._handle(handler)
        self.names.certain = set(after)
        self._inside([*node.orelse, *node.finalbody])

    def _handle(self, handler: ast.ExceptHandler) -> None:
        if handler.type is not None:
            self.visit(handler.type)
        self.names.hidden.append({handler.name} if handler.name else set())
        self.names.is_exceptional = not _catches_name_error(handler)
        self._inside(handler.body)
        self.names.is_exceptional = False
        self.names.hidden.pop()

    def visit_comprehended(self, node: _Comprehension) -> None:
        hidden: set[str] = set()
        self.names.hidden.append(hidden)
        for generator in node.generators:
            self.visit(generator.iter)
            hidden |= {part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)}
            for condition in generator.ifs:
                self.visit(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.names.hidden.pop()


def _catches_name_error(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(one, ast.Name) and one.id == "NameError" for one in caught)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def _annotations(node: _FunctionDef) -> list[ast.expr]:
    given = node.args
    several = [given.vararg, given.kwarg]
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, several)]
    return list(filter(None, [*(argument.annotation for argument in named), node.returns]))


def _parameters_of_type(node: _FunctionDef | ast.ClassDef) -> set[str]:
    """`T` of `def f[T](x: T)`, which Python has since 3.12."""
    return {parameter.name for parameter in getattr(node, "type_params", ())}
