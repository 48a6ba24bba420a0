"""The documents are true where a machine can tell: links, settings, commands, files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from worker.cli.commands import COMMANDS
from worker.domain.errors import BY_CODE
from worker.domain.messages import Reply
from worker.settings import load
from worker.transport.schema import ControlFields, RequestFields

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules", ".git", ".pytest_cache"} & set(path.parts)
)


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(path):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_that_a_document_names_is_there(path):
    named = re.findall(
        r"`((?:tests|bench|docs|deploy|scripts|examples)/[\w./-]+)`", path.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_that_a_document_names_exists(path):
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", path.read_text(), flags=re.DOTALL)
    called = re.findall(r"^(?:sudo |\S*/)?thinkq ([a-z]+)", "\n".join(blocks), flags=re.MULTILINE)
    assert [command for command in called if command not in COMMANDS] == []


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", readme, flags=re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_page_of_settings_is_current():
    code = "import write_configuration as w; print(w.document() == w.TARGET.read_text())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "scripts",
    )
    assert done.stdout == "True\n", "python scripts/write_configuration.py"


def test_the_settings_file_in_the_page_of_settings_is_one(tmp_path):
    page = (ROOT / "docs" / "configuration.md").read_text()
    (content,) = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "thinkq.toml").write_text(content)
    settings = load(tmp_path / "thinkq.toml", environment={})
    assert settings.broker.tls.enabled


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("A request", RequestFields.__struct_fields__),
        ("The final reply", Reply.__struct_fields__),
        ("Control", ControlFields.__struct_fields__),
        ("Errors", BY_CODE),
    ],
)
def test_the_contract_names_every_field_and_error(section, names):
    page = (ROOT / "docs" / "contract.md").read_text()
    _, text = page.split(f"\n## {section}\n")
    text, *_ = text.split("\n## ")
    told = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert sorted(set(names) - told) == []


def test_the_decisions_are_all_listed():
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}[\w-]*\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}


def test_every_test_that_a_document_names_is_there():
    named = {
        name for path in DOCUMENTS for name in re.findall(r"`([\w/]+\.py::\w+)`", path.read_text())
    }
    assert named
    there = {
        f"{path.relative_to(ROOT / 'tests')}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert sorted(named - there) == []


@pytest.mark.parametrize("number", range(1, 11))
def test_each_of_owasps_ten_risks_is_answered_with_tests(number):
    rows = [
        line
        for line in (ROOT / "SECURITY.md").read_text().splitlines()
        if line.startswith(f"| **LLM{number:02} ")
    ]
    assert len(rows) == 1
    assert re.search(r"`[\w/]+\.py::test_\w+`", rows[0])
