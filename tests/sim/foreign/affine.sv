// LayerNorm's scale and shift, written from the documentation alone: no pipeline, one beat every two
// cycles, and ready of an input depends on the other input's valid and on ready of the output.
`default_nettype none

module affine #(parameter int LANES = 4) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire [22:0]            command__payload,
    input  wire                   command__valid,
    output logic                  command__ready,
    input  wire [LANES-1:0][31:0] i__payload,
    input  wire                   i__valid,
    output logic                  i__ready,
    input  wire [96*LANES-1:0]    constants__payload,
    input  wire                   constants__valid,
    output logic                  constants__ready,
    output logic [LANES-1:0][15:0] o__payload,
    output logic                  o__valid,
    input  wire                   o__ready
);
    `include "types.svh"

    command_t now;
    logic [15:0] left;
    logic pause;

    wire go = left != 0 && !pause && i__valid && constants__valid && (!o__valid || o__ready);
    assign command__ready = left == 0;
    assign i__ready = go;
    assign constants__ready = go;

    always_ff @(posedge clk) begin
        if (rst) begin
            left <= 0;
            pause <= 0;
            o__valid <= 0;
        end else begin
            pause <= go;
            if (command__valid && command__ready) begin
                now <= command__payload;
                left <= command__payload[15:0];
            end
            if (o__ready) o__valid <= 0;
            if (go) begin
                left <= left - 1;
                o__valid <= 1;
            end
        end
    end

    for (genvar k = 0; k < LANES; k++) begin : lane
        wire [15:0] result;
        scale scale (
            .x(i__payload[k]),
            .b(constants__payload[32*k +: 32]),
            .offset(constants__payload[32*LANES + 64*k +: 64]),
            .c(now.c),
            .wide(now.wide),
            .y(result)
        );
        always_ff @(posedge clk) if (go) o__payload[k] <= result;
    end
endmodule
`default_nettype wire
