"""The site: the pages of this folder and a reference of all modules from their docstrings, `make docs`."""

import re
from typing import Any

import intarsia

project = "Intarsia"
version = release = intarsia.__version__
copyright = "the Intarsia maintainers"  # noqa: A001, the name that Sphinx wants

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc"]
exclude_patterns = ["decisions/README.md"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px"}

myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "ref.python"]  # files that are no pages; names of two modules

apidoc_modules: list[dict[str, Any]] = [
    {
        "path": "../intarsia",
        "destination": "api",
        "follow_links": True,
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
default_role = "code"

RULE = re.compile(r"-{3,}$")
ENTRY = re.compile(r"[\w, ]+ : ")
CODE = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"[\\|*]|_(?!\w)")


def _escaped(line: str) -> str:
    """A line in which nothing but backticks means something to reStructuredText."""
    parts = CODE.split(line)
    return "".join(part if k % 2 else SPECIAL.sub(r"\\\g<0>", part) for k, part in enumerate(parts))


def _as_text(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings are text with sections: entries, perhaps below a title and a rule, up to an empty line."""
    found: list[str] = []
    section = False
    for line, following in zip(lines, [*lines, ""][1:], strict=True):
        if RULE.match(following.strip()):
            section = True
            found += ["", f".. rubric:: {line.strip()}", ""]
        elif RULE.match(line.strip()):
            continue
        else:
            if not section and ENTRY.match(line):
                found.append("")
                section = True
            section = section and bool(line)
            found.append(f"| {_escaped(line)}" if section else _escaped(line))
    lines[:] = found


def setup(app: Any) -> None:
    """Sphinx calls it."""
    app.connect("autodoc-process-docstring", _as_text)
