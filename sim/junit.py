"""Results of benches as JUnit XML, which CI servers show: a suite per unit, a test case per check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from intarsia.sim.verify import Check, Result

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not have, such as those that color a terminal."""


def junit_text(results: Sequence[Result], group: str) -> str:
    """The XML; `group` stands in front of the units' names, as packages do.

    The time of a unit is that of its first test case, for all its checks are made in one run. A breakdown
    of the simulator is an error, all else that is wrong a failure.
    """
    root = ElementTree.Element("testsuites", name=group)
    for result in results:
        suite = ElementTree.SubElement(root, "testsuite", name=f"{group}.{result.name}")
        for number, check in enumerate(result.checks):
            seconds = 0.0 if number else result.seconds
            case = ElementTree.SubElement(
                suite,
                "testcase",
                name=check.name,
                classname=f"{group}.{result.name}",
                time=f"{seconds:.3f}",
            )
            _outcome(case, check)
        _count(suite, [suite], result.seconds)
        output = ElementTree.SubElement(suite, "system-out")
        output.text = _legal(
            f"{result.vectors} values compared in {result.cycles} cycles\n"
            f"coverage {result.bins - len(result.missed)} of {result.bins} bins\n"
        )
    _count(root, list(root), sum(result.seconds for result in results))
    del root.attrib["skipped"]
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _outcome(case: ElementTree.Element, check: Check) -> None:
    if check.skipped:
        ElementTree.SubElement(case, "skipped", message=_legal(check.skipped))
    elif check.failures:
        kind = "error" if check.name == "simulation" else "failure"
        first, *_ = check.faults[0].splitlines()
        found = ElementTree.SubElement(case, kind, message=_legal(first), type=check.name)
        found.text = _legal("\n".join(check.faults))
        if check.failures > len(check.faults):
            found.text += f"\n{check.failures} in all"


def _count(node: ElementTree.Element, suites: list[ElementTree.Element], seconds: float) -> None:
    """Sets the numbers of a suite, or of all."""
    cases = [case for suite in suites for case in suite.iter("testcase")]
    node.set("tests", str(len(cases)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        node.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
    node.set("time", f"{seconds:.3f}")


def _legal(text: str) -> str:
    return NOT_XML.sub("?", text)
