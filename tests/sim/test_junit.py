"""JUnit XML as CI servers read it."""

from __future__ import annotations

from xml.etree import ElementTree

from intarsia.sim.junit import junit_text
from intarsia.sim.verify import Check, Result

GOOD = Result(
    "argmax", 500, 900, 0, 4, (), (), seconds=1234.5,
    checks=(Check("simulation"), Check("values"), Check("handshake"), Check("cycles", skipped="any")),
)  # fmt: skip
BAD = Result(
    "expand", 600, 800, 3, 4, ("factor 1",), (), seconds=0.25,
    checks=(
        Check("simulation"), Check("values", 3, ("beat 3 is 1 & not <2>", "beat 4")),
        Check("handshake", 1, ("\x1b[31mred\x1b[0m \"quoted\"",)), Check("cycles"),
    ),
)  # fmt: skip
BROKEN = Result(
    "affine", 0, 0, 1, 4, (), (), seconds=2,
    checks=(Check("simulation", 1, ("it ended\nits log",)), Check("values", skipped="no report")),
)  # fmt: skip

REQUIRED = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
"""Attributes, by element, in the order in which elements nest: those that Jenkins' schema (junit-10.xsd),
GitLab and GitHub's readers know; the schema has no other one for any of these elements."""
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "error", "skipped"},
}


def parsed(*results: Result) -> ElementTree.Element:
    text = junit_text(results, "intarsia.edge")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    return ElementTree.fromstring(text)


def test_elements_and_attributes_are_those_of_the_schema():
    root = parsed(GOOD, BAD, BROKEN)
    assert root.tag == "testsuites"
    for node in root.iter():
        assert set(node.attrib) == REQUIRED[node.tag], node.tag
        assert {child.tag for child in node} <= INSIDE.get(node.tag, set())
        for attribute in ("tests", "failures", "errors", "skipped"):
            assert node.get(attribute, "0").isdecimal()
        assert float(node.get("time", "0")) >= 0
        assert "," not in node.get("time", "")


def test_numbers_add_up():
    root = parsed(GOOD, BAD, BROKEN)
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["intarsia.edge.argmax", "intarsia.edge.expand", "intarsia.edge.affine"]
    counts = {
        name: [s.get(a) for a in ("tests", "failures", "errors", "skipped")] for name, s in suites.items()
    }
    assert list(counts.values()) == [["4", "0", "0", "1"], ["4", "2", "0", "0"], ["2", "0", "1", "1"]]
    assert [root.get(a) for a in ("tests", "failures", "errors", "time")] == ["10", "2", "1", "1236.750"]
    for suite in root:
        assert sum(float(case.get("time", "")) for case in suite.iter("testcase")) == float(
            suite.get("time", "")
        )


def test_what_is_wrong_is_there():
    root = parsed(BAD, BROKEN)
    values, red = root.findall(".//failure")
    assert (values.get("message"), values.get("type")) == ("beat 3 is 1 & not <2>", "values")
    assert values.text == "beat 3 is 1 & not <2>\nbeat 4\n3 in all"
    assert red.get("message") == '?[31mred?[0m "quoted"'
    (error,) = root.findall(".//error")
    assert (error.get("message"), error.text) == ("it ended", "it ended\nits log")
    assert root.find("testsuite/system-out").text.startswith("600 values compared in 800 cycles")


def test_the_same_results_give_the_same_text():
    assert junit_text([GOOD, BAD], "a") == junit_text([GOOD, BAD], "a")
