"""What the source keeps to and no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

import intarsia

ROOT = Path(__file__).parent.parent
FOLDERS = ("model", "arch", "emu", "hw", "synth", "sim", "cli")

OLD_GRAMMAR = re.compile(r"\b(is|are) wanted\b")
"""As in "X is V, W is wanted"."""


def imported(path: Path) -> set[str]:
    """Modules, and names from modules, that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{one.name}" for one in node.names}
    return found


def test_no_file_imports_a_test_module() -> None:
    """What two of them use stands in a module of helpers, so that each can be read, moved and run alone."""
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in ("tests", "tools", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for name in imported(path)
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    }
    assert not found


def texts(path: Path) -> list[str]:
    """All strings of a file but docstrings."""
    tree = ast.parse(path.read_bytes())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


def test_messages_have_one_grammar() -> None:
    """X must be W, not V; no other order of what was seen and what is right."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    old = [str(path.relative_to(ROOT)) for path in files if any(map(OLD_GRAMMAR.search, texts(path)))]
    assert not old


PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PLACE = re.compile(
    rf"`((?:{'|'.join((*FOLDERS, 'tests', 'tools', 'benchmarks', 'docs', 'examples'))})/[\w/.-]*)`"
)
DOTTED = re.compile(rf"`((?:intarsia\.)?(?:{'|'.join(FOLDERS)})\.(?!safetensors)[a-z_.0-9]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"`make ([a-z-]+)")


def named(path: Path) -> bool:
    """Whether there is such a module, or a module of the folder above with such a name in it."""
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    above = [path.parent.with_suffix(".py"), path.parent / "__init__.py"]
    return any(re.search(rf"\b{path.name}\b", file.read_text()) for file in above if file.exists())


def there(name: str) -> bool:
    """Whether there is such a file; NAME stands for any name."""
    return any(ROOT.glob(name.replace("NAME", "*")))


def test_pages_name_files_that_are_there() -> None:
    """Files by their paths, modules by their names from `intarsia.` on, links, targets of make."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = []
    for page in PAGES:
        text = page.read_text()
        wrong += [f"{page.name}: {name}" for name in PLACE.findall(text) if not there(name)]
        for name in DOTTED.findall(text):
            if not name.startswith("intarsia.") or not named(ROOT.joinpath(*name.split("."))):
                wrong.append(f"{page.name}: {name}")
        links = (link for link in LINK.findall(text) if "://" not in link)
        wrong += [f"{page.name}: {link}" for link in links if not (page.parent / link).exists()]
        wrong += [f"{page.name}: make {name}" for name in TARGET.findall(text) if name not in targets]
    assert not wrong


def test_notes_and_citation_are_of_this_version() -> None:
    headings = re.findall(
        r"^## \[([\d.]+)\] - ([\d-]+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert headings[0] == (intarsia.__version__, citation["date-released"])
    assert citation["version"] == intarsia.__version__
