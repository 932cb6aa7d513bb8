"""The page of a simulation: whole, self-contained, and equal to the figures."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from intarsia.arch.machine import KEYS
from intarsia.arch.timeline import CAUSES
from intarsia.emu.charts import bars, roofline_plot, stacks
from intarsia.emu.plots import IDLE, KINDS, Activity, Strip, _covered, kind_colours, overview, strips
from intarsia.emu.report import NO_WORK, kinds_of, render, unit_bars, window, write_report
from intarsia.emu.roofline import roofline
from intarsia.emu.simulation import network, simulate
from intarsia.emu.svg import NARROW, PALETTE, WIDE, colours, short, ticks
from intarsia.model.colours import lab


@pytest.fixture(scope="module")
def report():
    return simulate(model=network("mini", "scenes", (64, 80)), machine="edge")


def plain(report):
    return report.to_dict() | {"over_time": report.over_time.to_dict(), "more_memory": report.more_memory}


@pytest.fixture(scope="module")
def page(report):
    return render(plain(report), report.timeline, report.roofline)


def drawn(page):
    return [ElementTree.fromstring(plot) for plot in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


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
    titles = [plot.get("aria-label") for plot in drawn(page)]
    for wanted in ("Timeline", "Over time", "Units", "Roofline", "Traffic", "Energy"):
        assert titles.count(wanted) == 2  # for screens and for phones


def test_plots_fit_a_phone(page):
    """Narrow plots have no text beyond their edge, at its estimated width; wide ones neither."""
    assert {float(plot.get("width")) for plot in drawn(page)} == {WIDE.width, NARROW.width}
    assert NARROW.width <= 400 - 2 * 12
    for plot in drawn(page):
        width, height = float(plot.get("width")), float(plot.get("viewBox").split()[3])
        for text in plot.iter("text"):
            x, length = float(text.get("x")), 6.2 * len(text.text)
            begin = x - {"start": 0, "middle": length / 2, "end": length}[text.get("text-anchor")]
            assert begin > -4 and begin + length < width + 4, (plot.get("aria-label"), text.text)
            assert 0 < float(text.get("y")) <= height
    assert 'name="viewport" content="width=device-width' in page
    assert page.count("<table>") == page.count('<div class="scroll"><table>') > 5


def test_no_two_entries_of_a_legend_share_a_colour(page):
    legends = [
        [key.get("fill") for key in plot.iter("rect") if key.get("class") == "key"] for plot in drawn(page)
    ]
    assert sum(bool(legend) for legend in legends) >= 12
    for legend in legends:
        assert len(set(legend)) == len(legend)


@pytest.mark.parametrize("count", [1, 12, 13, 40, 200, 1000])
def test_colours_never_repeat(count):
    names = [f"kind {i}" for i in range(count)]
    for found in (colours(names), kind_colours(names), colours(names, PALETTE[:3])):
        assert len(set(found.values())) == len(found) == count
    assert not set(colours(names, PALETTE[:3]).values()) & set(PALETTE[:3])
    assert set(kind_colours([*KINDS, *names])) == {*KINDS, *names}
    # A kind has its colour whatever else there is.
    assert kind_colours(["mix", *names])["mix"] == kind_colours(["mix"])["mix"]


def test_colours_of_the_palette_can_be_told_apart():
    place = lab(
        np.array([list(bytes.fromhex(colour[1:])) for colour in (*PALETTE, NO_WORK, IDLE)], np.uint8)
    )
    distance = np.linalg.norm(place[:, None] - place, axis=-1)[: len(PALETTE)]
    assert np.sort(distance, axis=1)[:, 1].min() > 25  # the first is each to itself


def test_many_parts_have_as_many_colours():
    rows = {"bar": {f"part {i}": 1.0 + i for i in range(60)}}
    for text in (stacks("S", rows, "cycles", {"part 3": "#c9d0d8"}), bars("B", rows, "bits")):
        keys = [r.get("fill") for r in ElementTree.fromstring(text).iter("rect") if r.get("class") == "key"]
        assert len(set(keys)) == len(keys) == 60


def test_every_cause_of_a_stall_has_its_colour():
    unit = {"busy": 5, "idle": 7, "mid_work_causes": dict.fromkeys(CAUSES, 1)}
    (bar,) = unit_bars({"array": unit}).values()
    assert sum(bar.values()) == 12 + len(CAUSES)
    assert len(set(colours(bar).values())) == len(bar) == len(CAUSES) + 2


def test_bars_of_traffic_share_one_scale():
    """Ten times the bits are one step of the axis more, in whatever bar."""
    rows = {"a": {"x": 1e3, "y": 1e5}, "b": {"x": 1e4, "y": 1e6}, "c": {}}
    plot = ElementTree.fromstring(bars("Traffic", rows, "bits"))
    lengths = [float(r.get("width")) for r in plot.iter("rect") if r.get("class") != "key"]
    a_x, a_y, b_x, b_y = lengths
    assert b_x - a_x == pytest.approx(a_y - b_x, abs=0.02) == pytest.approx(b_y - a_y, abs=0.02)
    assert b_x > a_x
    for rows in ({}, {"a": {}}, {"a": {"x": 1.0}}):
        ElementTree.fromstring(bars("Traffic", rows, "bits"))


def test_strips_are_as_high_as_their_values():
    plot = ElementTree.fromstring(strips("Over time", [Strip("s", np.array([0.0, 4, 8]), 8, "bytes")], 30))
    (path,) = plot.iter("path")
    heights = [float(v) for v in re.findall(r"V([\d.]+)", path.get("d"))]
    assert heights[0] - heights[1] == pytest.approx((heights[0] - heights[2]) / 2)
    assert heights[3] == heights[0]


def test_page_has_the_numbers_of_the_machine(page, report):
    for key, field, _ in KEYS:
        value = getattr(report.machine, field)
        text = f"{value:,}" if isinstance(value, int) else value
        assert re.search(rf"<td>{key}</td><td[^>]*>{text}</td>", page), key


def test_energy_is_in_one_unit(page):
    assert "µJ" not in page
    assert page.count("mJ") > 4


def test_page_escapes_names(report):
    found = plain(report)
    name = "<script>alert('&\"')</script>"
    found["machine"] = {**found["machine"], "name": name, "parameters": {"name": name}}
    found["model"] = {**found["model"], "size": name}
    found["layers"] = [{**layer, "name": name} for layer in found["layers"]]
    found["spills"] = [{"tensor": name, "bytes": 1, "write": 8, "read": 8}]
    found["short_of_memory"] = {name: [name]}
    timeline = replace(report.timeline, names=(name,) * len(report.timeline.names))
    points = tuple(replace(point, name=name) for point in report.roofline.points)
    page = render(found, timeline, replace(report.roofline, points=points))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    drawn(page)


def test_page_holds_the_figures(page, report):
    assert f"{report.cycles:,}" in page
    for text in ("dram read", "accumulator write", "Horowitz", "partial sums", "encoder.blocks.0.qkv"):
        assert text in page
    assert not re.search(r"\b(nan|inf)\b", page)


def test_page_is_written_whole(report, tmp_path):
    write_report(plain(report), report.timeline, report.roofline, tmp_path / "a" / "page.html")
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
