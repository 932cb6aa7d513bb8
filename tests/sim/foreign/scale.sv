// One lane: (x * b + offset) / 2**c, rounded half to even, saturated.
module scale (
    input  signed [31:0] x,
    input  signed [31:0] b,
    input  signed [63:0] offset,
    input         [5:0]  c,
    input                wide,
    output signed [15:0] y
);
    wire signed [65:0] sum = x * b + offset;
    wire signed [65:0] down = sum >>> c;
    wire        [65:0] lost = sum - (down <<< c);
    wire        [65:0] half = (66'd1 << c) >> 1;
    wire up = c != 0 && (lost > half || (lost == half && down[0]));
    wire signed [65:0] rounded = up ? down + 66'sd1 : down;
    wire signed [65:0] most = wide ? 66'sd32767 : 66'sd127;
    assign y = rounded > most ? most[15:0] : rounded < -most - 66'sd1 ? -most[15:0] - 16'sd1 : rounded[15:0];
endmodule
