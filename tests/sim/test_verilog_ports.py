"""Ports of modules as Verilator reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.sim.ports import Port
from intarsia.sim.runner import CompileError
from intarsia.sim.verilog_ports import module_ports, preprocessed, top_modules

TYPES = """
package kinds;
    typedef union packed { logic [4:0] a; bit [4:0] c; } either;
    typedef struct packed { logic [1:0][3:0] h; logic k; } both;
    typedef enum logic [2:0] { ONE, TWO } choice;
endpackage
module sub #(parameter W = 3) (input [W-1:0] a, output b); assign b = ^a; endmodule
module unit #(parameter int LANES = 3) (
    input clk, input wire [0:6] ascending, input byte unsigned small_number, input int number,
    input logic [1:0][LANES-1:0][3:0] nested, input kinds::either u, input kinds::both [3:0] s,
    output kinds::choice c, output logic [LANES*8-1:0] wide, inout pin,
    input real r, input kinds::both unpacked [3:0]
);
    sub #(5) first (.a(5'd3), .b());
    if (1) begin : inner
        sub #(6) second (.a(6'd3), .b());
    end
endmodule
"""


def test_widths_of_all_packed_types():
    found = module_ports(TYPES, "unit")
    odd = {name: port for name, port in found.items() if isinstance(port, str)}
    assert odd == dict.fromkeys(("r", "unpacked"), "an input that is no vector of bits")
    assert [port for port in found.values() if isinstance(port, Port)] == [
        Port("clk", "input", 1), Port("ascending", "input", 7), Port("small_number", "input", 8),
        Port("number", "input", 32), Port("nested", "input", 24), Port("u", "input", 5),
        Port("s", "input", 36), Port("c", "output", 3), Port("wide", "output", 24), Port("pin", "inout", 1),
    ]  # fmt: skip


def test_ports_that_are_declared_in_the_body():
    declared = "parameter W = 4; input [W-1:0] a; output b; reg b;"
    text = f"module old(a, b); {declared} always @* b = #1 ^a; endmodule"
    assert module_ports(text, "old") == {"a": Port("a", "input", 4), "b": Port("b", "output", 1)}


def test_a_module_is_top_if_no_other_uses_it():
    clock = "reg clk = 0; always #5 clk = ~clk;"
    bench = f"module bench; {clock} initial begin @(posedge clk); $finish; end endmodule"
    assert top_modules(TYPES + bench) == {"unit": True, "sub": False, "bench": True}


def test_includes_and_lines(tmp_path):
    (tmp_path / "width.vh").write_text("`define WIDTH 5\n")
    (tmp_path / "a.v").write_text('`include "width.vh"\nmodule a(input [`WIDTH-1:0] x);\nendmodule\n')
    (tmp_path / "b.v").write_text("module b(input [`WIDTH:0] x); nonsense endmodule\n")
    text = preprocessed([tmp_path / "a.v"], [tmp_path])
    assert module_ports(text, "a") == {"x": Port("x", "input", 5)}
    with pytest.raises(CompileError) as error:
        top_modules(preprocessed([tmp_path / "a.v", tmp_path / "b.v"], [tmp_path]))
    assert f"%Error: {tmp_path}/b.v:1:" in error.value.log


def test_what_is_not_named_is_not_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sub.v").write_text("module sub(input a); endmodule")
    Path("top.v").write_text("module top(input a); sub s(.a(a)); endmodule")
    with pytest.raises(CompileError) as error:
        top_modules(preprocessed([tmp_path / "top.v"], [tmp_path]))
    assert "'sub'" in error.value.log
    with pytest.raises(CompileError) as error:
        preprocessed([tmp_path / "none.v"], [])
    assert "none.v" in error.value.log
