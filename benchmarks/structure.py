"""Print import cycles, long functions and files, wide signatures, and the linters' verdicts.

    .venv/bin/python scripts/check_structure
    .venv/bin/python scripts/check_structure --names
    .venv/bin/python scripts/check_structure --lines HEAD~1

Exits with 1 if one is too many. With --lines it prints the lines of a revision by room and kind instead.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.lines import files_of_revision, line_table
from benchmarks.program import ROOT, make_parser

CODE = ("voiceprint", "benchmarks", "scripts", "tests")
LINTERS = (("ruff", "check", *CODE), ("ruff", "format", "--check", *CODE), ("mypy",))
LINES_OF_FUNCTION, LINES_OF_FILE, PARAMETERS = 60, 450, 10

Findings = Mapping[str, tuple[str, ...]]
"""What was found, by the name that it is printed with."""
Graph = Mapping[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Measure this checkout."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--names", action="store_true", help="also list the public names that several modules share"
    )
    parser.add_argument(
        "--lines", nargs="?", const="HEAD", metavar="REVISION", help="count a revision's lines"
    )
    options = parser.parse_args()
    if options.lines:
        print("\n".join(line_table(dict(files_of_revision(ROOT, options.lines)))))
        return 0
    findings = measure_structure(ROOT)
    print("\n".join(report(findings)))
    complaints = {" ".join(command): _complaints(*command) for command in LINTERS}
    for command, said in complaints.items():
        print("\n    ".join([f"{command}:", *said]) if said else f"{command}: clean")
    if options.names:
        for name, modules in shared_names(ROOT).items():
            print(f"{name}: {', '.join(modules)}")
    return 1 if any(findings.values()) or any(complaints.values()) else 0


def _complaints(*command: str) -> list[str]:
    """Run a linter by this Python, and return what it says unless all is well."""
    ran = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (ran.stdout + ran.stderr).splitlines() if ran.returncode else []


def measure_structure(root: Path) -> Findings:
    """Look through the Python code below a checkout's folder for what should not be there.

    Parameters
    ----------
    root : Path
        The folder that holds voiceprint/, benchmarks/, scripts/ and tests/.

    Returns
    -------
    mapping of str to tuple of str
        Modules that import each other, in a module's body or in its functions, and those that do so only when
        the imports for type checkers are counted, too; functions of over 60 lines, docstring included, and of
        over 10 parameters besides `self` or `cls`; files of over 450 lines. Every entry says where it is.
    """
    trees = {path: ast.parse(path.read_text(), filename=str(path)) for path in python_files(root, *CODE)}
    modules = {module_name(path, root): tree for path, tree in trees.items() if path.suffix == ".py"}
    cycles = _cycles(_graph(modules, annotations=False))
    with_annotations = _cycles(_graph(modules, annotations=True))
    functions = [(path, node) for path, tree in trees.items() for node in _functions(tree)]
    return {
        "import cycles": cycles,
        "import cycles of annotations": tuple(cycle for cycle in with_annotations if cycle not in cycles),
        f"functions over {LINES_OF_FUNCTION} lines": tuple(
            f"{_place(path, root, node)}: {_length(node)} lines"
            for path, node in functions
            if _length(node) > LINES_OF_FUNCTION
        ),
        f"functions over {PARAMETERS} parameters": tuple(
            f"{_place(path, root, node)}: {_width(node)} parameters"
            for path, node in functions
            if _width(node) > PARAMETERS
        ),
        f"files over {LINES_OF_FILE} lines": tuple(
            f"{path.relative_to(root)}: {lines} lines"
            for path in trees
            if (lines := _lines(path)) > LINES_OF_FILE
        ),
    }


def python_files(root: Path, *folders: str) -> list[Path]:
    """List the Python files of some folders, programs without .py included."""
    files = [path for folder in folders for path in sorted((root / folder).rglob("*")) if path.is_file()]
    return [path for path in files if path.suffix == ".py" or (path.suffix == "" and _is_program(path))]


def module_name(path: Path, root: Path) -> str:
    """Name the module that a file is, such as voiceprint.store for voiceprint/store/__init__.py."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST, *, functions: bool, annotations: bool = False) -> Iterator[str]:
    """Yield what is imported: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`.

    Parameters
    ----------
    functions : bool
        Whether imports within functions count.
    annotations : bool
        Whether imports behind TYPE_CHECKING count.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif (functions or not isinstance(node, Function)) and (annotations or not _is_for_types(node)):
            yield from imports(node, functions=functions, annotations=annotations)


def public_names(tree: ast.Module) -> list[str]:
    """Read a module's `__all__`; empty if it has none that is written out."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def shared_names(root: Path) -> dict[str, list[str]]:
    """List public functions and classes of the package that bear one name in several modules.

    Commands and routes are left out: they are called what they do, like the functions that they call.
    """
    homes: dict[str, list[str]] = defaultdict(list)
    faces = python_files(root, "voiceprint/cli", "voiceprint/server/routes")
    for path in sorted({*python_files(root, "voiceprint")} - {*faces}):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module_name(path, root))
    return {name: places for name, places in sorted(homes.items()) if len(places) > 1}


def report(findings: Findings) -> list[str]:
    """Say how much was found of each kind, and where, a line each."""
    return [
        line
        for kind, places in findings.items()
        for line in (f"{kind}: {len(places)}", *(f"    {place}" for place in places))
    ]


def _graph(modules: Mapping[str, ast.Module], *, annotations: bool) -> Graph:
    graph: dict[str, set[str]] = {}
    for module, tree in modules.items():
        names = set(imports(tree, functions=True, annotations=annotations))
        # What is imported from a module is another module, or stands in the first.
        used = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = used & set(modules) - {module}
    return graph


def _cycles(graph: Graph) -> tuple[str, ...]:
    reached = {module: _reached(graph, module) for module in graph}
    groups = {
        tuple(sorted(other for other in others if module in reached[other]))
        for module, others in reached.items()
        if module in others
    }
    return tuple(" <-> ".join(group) for group in sorted(groups))


def _reached(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        fresh = graph[ahead.pop()] - reached
        reached |= fresh
        ahead.extend(fresh)
    return reached


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _width(node: Function) -> int:
    given = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(given) - (given[:1] in (["self"], ["cls"]))


def _place(path: Path, root: Path, node: Function) -> str:
    return f"{path.relative_to(root)}:{node.lineno} {node.name}"


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline()
    return first.startswith(b"#!") and b"python" in first
