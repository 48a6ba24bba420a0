"""The lock: every package that pyproject.toml asks for, in a version it allows, by hash."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def locked():
    """Return the versions of each locked package, and how many hashes each entry has."""
    text = (ROOT / "requirements.lock").read_text()
    entries = re.findall(r"^(\S+?)(?:\[.*?\])?==(\S+)(.*(?:\n    --hash=.*)*)", text, re.MULTILINE)
    found = {}
    for name, version, rest in entries:
        found.setdefault(name.lower(), []).append((Version(version), rest.count("--hash=sha256:")))
    return found


def wanted():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], project["dependency-groups"]["dev"], *optional]
    return [Requirement(line) for group in groups for line in group]


def test_every_package_asked_for_is_locked_in_a_version_that_is_allowed():
    versions = locked()
    for requirement in wanted():
        entries = versions.get(requirement.name.lower(), [])
        assert any(version in requirement.specifier for version, _ in entries), requirement


def test_every_locked_package_has_its_hashes():
    assert [name for name, entries in locked().items() if not all(n for _, n in entries)] == []
