"""Which way imports go, asserted from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "worker").rglob("*.py"))


def imported(path):
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def room(path):
    parts = path.relative_to(ROOT / "worker").parts
    return parts[0].removesuffix(".py")


def importers(package):
    return {
        path
        for path in MODULES
        if any(name == package or name.startswith(package + ".") for name in imported(path))
    }


def test_only_the_transport_and_the_client_import_paho():
    assert {room(path) for path in importers("paho")} <= {"transport", "client"}


@pytest.mark.parametrize("package", ["mlx", "mlx_lm", "llguidance"])
def test_only_the_engine_imports_the_model_libraries(package):
    assert {room(path) for path in importers(package)} <= {"engine"}


def test_the_daemons_side_of_the_engine_imports_no_mlx():
    for name in ("supervisor", "pipe", "stub"):
        names = set(imported(ROOT / "worker" / "engine" / f"{name}.py"))
        assert not {one for one in names if one.split(".")[0] in {"mlx", "mlx_lm"}}


def test_the_domain_imports_none_of_our_rooms():
    for path in MODULES:
        if room(path) == "domain":
            ours = {name for name in imported(path) if name.startswith("worker")}
            assert all(name.startswith("worker.domain") for name in ours), path


NEIGHBOURS = {"transport", "journal", "router", "scheduler", "engine", "observe"}


def test_neighbouring_rooms_do_not_import_each_other():
    for path in MODULES:
        here = room(path)
        if here not in NEIGHBOURS:
            continue
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "worker" and len(parts) > 1 and parts[1] in NEIGHBOURS:
                assert parts[1] == here, f"{path} imports {name}"


def test_importing_the_command_brings_in_nothing_heavy():
    heavy = ["mlx", "mlx_lm", "transformers", "paho", "pydantic", "numpy", "rich"]
    code = f"import sys, worker.cli; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
