"""The shape of the package.

Imports go one way, names say what is inside, and nothing draws from a global generator.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import metarl

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "metarl"
ORDER = (  # a row imports only from itself and from rows above
    "core",
    "envs",
    "tasks",
    "networks",
    "interop",
    "agents",
    "learners",
    "plug_ins",
    "evaluation",
    "runs",
    "suites",
    "analysis",
    "checks",
    "commands",
    "cli",
    "__main__",
)
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted(
    file for folder in ("metarl", "benchmarks", "tests") for file in (ROOT / folder).rglob("*.py")
)


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def path_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


TREES = {file: ast.parse(file.read_text(encoding="utf-8"), str(file)) for file in MODULES}
NAMES = {name_of(file): file for file in MODULES}


class Use(NamedTuple):
    """Something that a module's code does."""

    line: int
    what: str


def imports(tree: ast.AST) -> Iterator[Use]:
    """Every module of the package that `tree` imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                Use(node.lineno, alias.name)
                for alias in node.names
                if alias.name.split(".")[0] == "metarl"
            )
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full, `from metarl...`"
            if node.module and node.module.split(".")[0] == "metarl":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield Use(
                        node.lineno,
                        inner if inner in NAMES else metarl._EXPORTS.get(alias.name, node.module),
                    )
        elif (
            isinstance(node, ast.Attribute)
            and ast.unparse(node.value) == "metarl"
            and node.attr in metarl._EXPORTS
        ):
            yield Use(node.lineno, metarl._EXPORTS[node.attr])


def row(module: str) -> int:
    """Return where `module` stands in ORDER.

    The package itself (its version) may be read anywhere.
    """
    parts = module.split(".")
    return ORDER.index(parts[1]) if len(parts) > 1 else -1


def test_imports_go_one_way():
    wrong = [
        f"{path_of(file)}, line {use.line} imports {use.what}, which stands below it"
        for file in MODULES
        if file != PACKAGE / "__init__.py"
        for use in imports(TREES[file])
        if row(use.what) > row(name_of(file))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_part_of_the_package_has_its_row():
    parts = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in MODULES} - {
        "__init__"
    }
    assert parts <= set(ORDER)


def test_modules_do_not_import_each_other_in_circles():
    graph = {
        name: {use.what for use in imports(TREES[file])} - {name, "metarl"}
        for name, file in NAMES.items()
        if name != "metarl"
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_files_are_named_for_their_idea_and_finished():
    vague = {"util", "utils", "common", "helper", "helpers", "misc"}
    wrong = [
        f"{path_of(file)}: name it for its idea"
        for file in SOURCES
        if vague & set(re.split(r"[/_.]", path_of(file)))
    ]
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    for file in SOURCES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if unfinished.search(line):
                wrong.append(
                    f"{path_of(file)}, line {number}: something is left to do; do it, or open an"
                    " issue"
                )
    assert not wrong, "\n".join(wrong)


def test_public_things_have_docstrings():
    bare = [path_of(file) for file in MODULES if not ast.get_docstring(TREES[file])]
    for file in MODULES:
        for node in TREES[file].body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            )
            if named and not ast.get_docstring(node):
                bare.append(f"{path_of(file)}: {node.name}")
    assert not bare, "\n".join(["These need docstrings:", *bare])


def exported_by(tree: ast.Module) -> list[str]:
    """Return the names in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def bound_in(tree: ast.Module) -> set[str]:
    """Return the names that a module's code defines or imports."""
    bound = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound |= {
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return bound


def test_what_is_exported_exists():
    wrong = []
    for file in MODULES:
        if file == PACKAGE / "__init__.py":
            continue
        exported = exported_by(TREES[file])
        wrong += [
            f"{path_of(file)} exports {name}, which it lacks"
            for name in sorted(set(exported) - bound_in(TREES[file]))
        ]
        wrong += [
            f"{path_of(file)} exports {name} twice"
            for name in sorted(set(exported))
            if exported.count(name) > 1
        ]
    assert not wrong, "\n".join(wrong)


def test_lazy_exports_lead_somewhere():
    for name in metarl._EXPORTS:
        assert getattr(metarl, name) is not None
