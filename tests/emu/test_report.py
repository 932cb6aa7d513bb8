"""The page of a simulation: whole, self-contained, and equal to the figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from emu.plots import Activity, _covered, overview, roofline_plot
from emu.report import kinds_of, render, window, write_report
from emu.roofline import roofline
from emu.simulation import network, simulate
from emu.svg import short, ticks


@pytest.fixture(scope="module")
def report():
    return simulate(model=network("mini", "scenes", (64, 80)), machine="edge")


@pytest.fixture(scope="module")
def page(report):
    return render(report.to_dict(), report.timeline, report.roofline)


def test_page_is_self_contained(page):
    assert not re.search(r"(src|href|@import|url\()", page)
    assert "http" not in page
    assert "<script" not in page


def test_page_is_balanced_and_its_plots_are_xml(page):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_startendtag(self, tag, attrs):
            pass

    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    titles = [ElementTree.fromstring(plot).get("aria-label") for plot in plots]
    for wanted in ("Timeline", "Roofline", "Utilization of the array per layer", "Traffic", "Energy"):
        assert wanted in titles


def test_page_holds_the_figures(page, report):
    assert f"{report.cycles:,}" in page
    for text in ("dram read", "accumulator write", "Horowitz", "partial sums", "encoder.blocks.0.qkv"):
        assert text in page
    assert not re.search(r"\b(nan|inf)\b", page)


def test_page_is_written_whole(report, tmp_path):
    write_report(report.to_dict(), report.timeline, report.roofline, tmp_path / "a" / "page.html")
    assert (tmp_path / "a" / "page.html").read_text().endswith("</html>\n")


def test_kinds_add_up(report):
    kinds = kinds_of(report.layers)
    assert sum(row["layers"] for row in kinds.values()) == len(report.layers)
    assert sum(row["macs"] for row in kinds.values()) == report.macs
    assert all(row["utilization"] <= 1 for row in kinds.values())


def test_window_is_inside_the_run(report):
    begin, end = window(report.timeline)
    assert 0 <= begin < end <= report.cycles


def test_covered_time_of_bins():
    start, end = np.array([0, 10, 25]), np.array([5, 20, 26])
    np.testing.assert_array_equal(_covered(start, end, np.array([0.0, 10, 20, 30])), [5, 10, 1])


def test_overview_takes_units_that_did_nothing():
    none = np.zeros(0, np.int64)
    ElementTree.fromstring(overview([Activity("store", none, none, none, ("linear",))], 0))


def test_roofline_bounds(report):
    machine = report.machine
    layer = {"name": "a", "op": "linear", "macs": 1000, "cycles": 100}
    few = roofline(machine, [{**layer, "dram_bits": {"read": 8000, "write": 0}}])
    many = roofline(machine, [{**layer, "dram_bits": {"read": 0, "write": 8}}])
    none = roofline(machine, [{**layer, "dram_bits": {"read": 0, "write": 0}}, {**layer, "macs": 0}])
    assert (few.points[0].intensity, few.points[0].roof) == (1, machine.memory_width)
    assert (few.points[0].limit, many.points[0].limit, none.points[0].limit) == ("memory", "array", "array")
    assert none.to_dict()["layers"][0]["intensity"] is None
    assert len(none.points) == 1
    assert few.roof(few.ridge) == few.peak
    for plot in (few, many, none, roofline(machine, [])):
        ElementTree.fromstring(roofline_plot(plot))


def test_numbers_for_people():
    assert [short(v) for v in (0, 12, 12_345, 1e7, 2.5e9)] == ["0", "12", "12.3 k", "10 M", "2.5 G"]
    assert ticks(10, 5) == [0, 2, 4, 6, 8, 10]
    assert ticks(0) == [0]
