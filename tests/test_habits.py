"""What the source keeps to and no linter knows."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


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
