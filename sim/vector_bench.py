"""The example bench beside golden vectors: Verilog-2005 that a person adapts to RTL of their own."""

from __future__ import annotations

from string import Template

from intarsia.sim.payload import Payload

QUIET = 64
"""Cycles without a transfer after the last beat: whatever would leave too much has left by then."""
PATH = 1024
"""Characters that the name of a dump may have."""

_BENCH = Template("""\
// Plays the beats of $name.STREAM.hex into the unit $name and compares every beat that leaves with
// $name.o.hex. Run it in the folder of these files, with your $name.v:
//
//     iverilog -g2005 -o $name.vvp ${name}_tb.v $name.v
//     vvp $name.vvp [+stall=PERCENT] [+seed=N] [+timeout=CYCLES] [+dump=FILE.vcd]
//
// stall: in so many of 100 cycles, at random, an input has no new beat and o is not ready; default 0
// timeout: cycles in which no beat moves before the unit counts as hung; default 100000
// dump: every signal of the bench and of the unit goes to this file
//
// The verdict is "PASS n beats" and the exit status 0, or "FAIL" and why, and another status. A stream
// moves a beat at a rising edge of clk at which its valid and its ready are both high. rst is synchronous
// and high for 4 cycles.

module ${name}_tb;
    reg clk;
    reg rst;
    integer stall;
    integer seed;
    integer timeout;
    integer quiet;  // cycles since a beat moved
    integer wrong;
    reg [8 * $path:1] dump;

$declarations

    $name dut (
        .clk(clk),
        .rst(rst),
$connections
    );

    initial begin
        clk = 0;
        forever #5 clk = ~clk;
    end

    // The end of a run that failed: the simulator's exit status says so. Verilog-2005 has no statement for
    // that: Icarus has its own, others have SystemVerilog's.
    task fail;
        begin
`ifdef __ICARUS__
            $$finish_and_return(1);
`else
            $$fatal(1);
`endif
        end
    endtask

    initial begin
        if ($$value$$plusargs("dump=%s", dump)) begin
            $$dumpfile(dump);
            $$dumpvars(0, ${name}_tb);
        end
        if (!$$value$$plusargs("stall=%d", stall)) stall = 0;
        if (!$$value$$plusargs("seed=%d", seed)) seed = 1;
        if (!$$value$$plusargs("timeout=%d", timeout)) timeout = 100000;
$loads
        rst = 1;
        repeat (4) @(negedge clk);
        rst = 0;
    end

    // New in every cycle: whether a stream may move.
    always @(negedge clk) begin
$rolls
    end
$sources
    always @(posedge clk)
        if (rst) begin
            o__ready <= 0;
            o_next <= 0;
            wrong <= 0;
        end else begin
            o__ready <= o_go;
            if (o_moves) begin
                o_next <= o_next + 1;
                if (o_next >= O_BEATS) begin
                    $$display("FAIL a beat more than the expected %0d left the unit, %0d are wrong",
                             O_BEATS, wrong);
                    fail;
                end else if (o__payload !== o_beats[o_next]) begin
                    wrong <= wrong + 1;
                    if (wrong < 20)
                        $$display("o, beat %0d is %h, not %h", o_next, o__payload, o_beats[o_next]);
                end
            end
        end

    always @(posedge clk)
        if (rst || $moves)
            quiet <= 0;
        else begin
            quiet <= quiet + 1;
            if (quiet == $quiet && o_next >= O_BEATS && $sent) begin
                if (wrong == 0) begin
                    $$display("PASS %0d beats", o_next);
                    $$finish(0);
                end else begin
                    $$display("FAIL %0d of %0d beats are wrong", wrong, o_next);
                    fail;
                end
            end else if (quiet >= timeout) begin
                $$display("FAIL nothing moved for %0d cycles, %0d of %0d beats left the unit, %0d wrong",
                         quiet, o_next, O_BEATS, wrong);
                fail;
            end
        end
endmodule
""")

_DECLARATION = Template("""\
    // $stream, $bits bits: $layout
    localparam $upper = $beats;
    reg [$high:0] ${stream}_beats [0:$upper];
    $payload [$high:0] ${stream}__payload;
    $valid ${stream}__valid;
    $ready ${stream}__ready;
    reg ${stream}_go;
    integer ${stream}_next;
    wire ${stream}_moves = ${stream}__valid && ${stream}__ready;""")

_SOURCE = Template("""
    wire ${stream}_sent = ${stream}_next >= $upper && !${stream}__valid;
    always @(posedge clk)
        if (rst) begin
            ${stream}__valid <= 0;
            ${stream}_next <= 0;
        end else if (!${stream}__valid || ${stream}__ready) begin
            if (${stream}_go && ${stream}_next < $upper) begin
                ${stream}__valid <= 1;
                ${stream}__payload <= ${stream}_beats[${stream}_next];
                ${stream}_next <= ${stream}_next + 1;
            end else begin
                ${stream}__valid <= 0;
                ${stream}__payload <= {$bits{1'bx}};
            end
        end
""")


def example_bench(name: str, payloads: dict[str, Payload], beats: dict[str, int]) -> str:
    """The bench of the unit `name`; its streams, of which `o` is the output, have so many beats."""
    inputs = [stream for stream in payloads if stream != "o"]
    ports = ("payload", "valid", "ready")
    connections = [f".{stream}__{port}({stream}__{port})" for stream in payloads for port in ports]
    return _BENCH.substitute(
        name=name,
        quiet=QUIET,
        path=PATH,
        declarations="\n\n".join(_declaration(s, payload, beats[s]) for s, payload in payloads.items()),
        connections=",\n".join(f"        {connection}" for connection in connections),
        loads="\n".join(
            f'        $readmemh("{name}.{s}.hex", {s}_beats, 0, {_upper(s)} - 1);'
            for s in payloads
            if beats[s]
        ),
        rolls="\n".join(f"        {s}_go = {{$random(seed)}} % 100 >= stall;" for s in payloads),
        sources="".join(
            _SOURCE.substitute(stream=s, upper=_upper(s), bits=payloads[s].bits) for s in inputs
        ),
        moves=" || ".join(f"{s}_moves" for s in payloads),
        sent=" && ".join(f"{s}_sent" for s in inputs),
    )


def _upper(stream: str) -> str:
    return f"{stream.upper()}_BEATS"


def _declaration(stream: str, payload: Payload, beats: int) -> str:
    drives = stream != "o"
    layout, at = [], 0
    for field in payload.fields:
        integers = f"{'signed ' if field.signed else ''}{field.width}"
        shape = integers if field.scalar else f"{field.count} x {integers}"
        layout.append(f"{field.name} [{at + field.bits - 1}:{at}] {shape}".strip())
        at += field.bits
    return _DECLARATION.substitute(
        stream=stream,
        upper=_upper(stream),
        bits=payload.bits,
        high=payload.bits - 1,
        beats=beats,
        layout=", ".join(layout),
        payload="reg" if drives else "wire",
        valid="reg" if drives else "wire",
        ready="wire" if drives else "reg",
    )
