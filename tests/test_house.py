"""The house stays as drawn: who may import whom, and what stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pytest_safetydrift"
STDLIB = sys.stdlib_module_names

# room: (rooms it may import beside itself, third-party packages it may import at module level)
RULES: dict[str, tuple[set[str], set[str]]] = {
    "core": (set(), set()),
    "stats": (set(), {"numpy", "scipy"}),
    "corpora": ({"core"}, set()),
    "attacks": ({"core"}, set()),
    "judges": ({"core"}, set()),
    "report": ({"core"}, {"jinja2", "markupsafe"}),
    "gates": ({"core", "stats"}, {"numpy", "scipy"}),
    "harness": ({"core", "corpora"}, set()),
    "labels": ({"core", "stats", "corpora"}, set()),
    "engines": ({"core", "corpora"}, {"httpx", "torch", "transformers", "vllm", "huggingface_hub"}),
    "execution": (
        {"core", "stats", "corpora", "attacks", "judges", "gates", "labels", "engines", "harness"},
        {"filelock"},
    ),
    "trainer": (
        {"core", "stats", "corpora", "attacks", "judges", "gates", "engines", "execution", "report"},
        {"torch", "transformers", "trl", "peft", "datasets", "tokenizers", "numpy"},
    ),
}
PYTEST_SIDE = {"plugin", "fixtures", "options", "session", "verdicts", "checkpoint"}


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether it runs when the module is imported)."""
    tree = ast.parse(file.read_text("utf-8"))
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)}
    typing = {
        id(n)
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and isinstance(i.test, ast.Name) and i.test.id == "TYPE_CHECKING"
        for n in ast.walk(i)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or ""]
        for name in names:
            yield name, id(node) not in lazy and id(node) not in typing


def rooms() -> Iterator[tuple[str, Path]]:
    for room in RULES:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            yield room, file


@pytest.mark.parametrize("room", RULES)
def test_imports_go_down(room: str) -> None:
    """No room imports one above or beside it, not even lazily."""
    allowed = RULES[room][0] | {room}
    faults = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for r, file in rooms()
        if r == room
        for name, _ in imports(file)
        if name.startswith("pytest_safetydrift.") and name.split(".")[1] not in allowed
    ]
    assert not faults


@pytest.mark.parametrize("room", RULES)
def test_third_party_imports_are_the_rooms_own(room: str) -> None:
    """What a room imports at module level from elsewhere is on its list."""
    faults = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for r, file in rooms()
        if r == room
        for name, eager in imports(file)
        if eager and (top := name.split(".")[0]) not in STDLIB | {"pytest_safetydrift"} and top not in RULES[room][1]
    ]
    assert not faults


def test_only_the_pytest_side_imports_pytest() -> None:
    """pytest is imported by the files of the pytest side and by no other."""
    found = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for name, _ in imports(file)
        if name.split(".")[0] in ("pytest", "_pytest")
    }
    assert found <= {f"{name}.py" for name in PYTEST_SIDE}


def test_nothing_imports_the_trainer_but_the_command() -> None:
    """The trainer makes checkpoints; the gate never needs it."""
    found = {
        file.relative_to(PACKAGE).parts[0]
        for file in PACKAGE.rglob("*.py")
        for name, _ in imports(file)
        if name.startswith("pytest_safetydrift.trainer")
    }
    assert found <= {"trainer", "cli.py"}


@pytest.mark.parametrize(
    "module",
    ["pytest_safetydrift", "pytest_safetydrift.plugin", "pytest_safetydrift.session", "pytest_safetydrift.cli"],
)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    """Neither torch nor transformers nor vllm comes with the plugin, its session or its command."""
    heavy = ("torch", "transformers", "vllm", "trl", "pyarrow")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_command_that_trains_nothing_loads_no_method() -> None:
    """Neither numpy nor scipy, nor the judges, nor any method comes with commands that do not name one."""
    code = (
        "import sys; from pytest_safetydrift.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "methods = 'pytest_safetydrift.trainer.methods.'\n"
        "print([m for m in ('numpy', 'scipy', 'pytest_safetydrift.judges') if m in sys.modules],"
        " sorted(m.removeprefix(methods) for m in sys.modules if m.startswith(methods)))"
    )
    for words, loaded in (
        ("report --help", "[] []"),
        ("train data --help", "[] []"),
        ("train demo --help", "[] []"),
    ):
        done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == loaded, words


def test_every_method_is_named_as_it_is_listed() -> None:
    """By the name that its class has, and by its class."""
    from pytest_safetydrift.trainer import methods

    for name in methods.NAMES:
        found = methods.method_named(name)
        assert found.name == name
        assert getattr(methods, found.__name__) is found
        assert found.__name__ in methods.__all__


def test_the_front_door_is_light() -> None:
    """The plugin's own import brings in no third-party package beside pytest."""
    code = (
        "import sys, pytest; before = set(sys.modules); import pytest_safetydrift.plugin; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pytest_safetydrift']"


def test_public_names_exist_and_are_all_there_is() -> None:
    """Every name of __all__ can be imported, and every lazy name is in __all__."""
    import pytest_safetydrift

    assert {n for n in pytest_safetydrift.__all__ if getattr(pytest_safetydrift, n, None) is not None} == set(
        pytest_safetydrift.__all__
    )
    assert set(pytest_safetydrift._HOMES) | {"__version__"} == set(pytest_safetydrift.__all__)


def test_the_drawing_is_short() -> None:
    """ARCHITECTURE.md stays under 60 lines and names every room."""
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text("utf-8")
    assert len(text.splitlines()) < 60
    assert [room for room in RULES if f"`{room}" not in text] == []
