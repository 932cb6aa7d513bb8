typedef struct packed {
    logic        wide;
    logic [5:0]  c;
    logic [15:0] rows;
} command_t;
