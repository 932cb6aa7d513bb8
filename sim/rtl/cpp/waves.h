// The signals of some cycles of a run, in a file, where the simulator was built for that.
#pragma once

#include <cstdint>

#include "Vaccelerator.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using WavesFile = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using WavesFile = VerilatedVcdC;
#endif

class Waves {
  public:
    // Cycle c takes the ns 10 c to 10 c + 10: in the first half the clock is high, in the second one all
    // that follows from the inputs has followed.
    static constexpr uint64_t kCycle = 10, kSettled = 5;

#if VM_TRACE
    // Cycles first..last of those in which the machine runs.
    Waves(Vaccelerator& top, const char* path, uint64_t first, uint64_t last)
        : path_(path), first_(kCycle * first), end_(kCycle * (last + 1)) {
        if (!path) return;
        Verilated::traceEverOn(true);
        top.trace(&file_, 99);
        file_.set_time_unit("1ns");
        file_.set_time_resolution("1ns");
    }
    ~Waves() { file_.close(); }

    void show(uint64_t time) {
        if (!path_ || time < first_ || time >= end_) return;
        if (!file_.isOpen()) file_.open(path_);
        file_.dump(time);
        if (time == end_ - kSettled) file_.close();
    }

  private:
    const char* path_;
    uint64_t first_, end_;
    WavesFile file_;
#else
    Waves(Vaccelerator&, const char*, uint64_t, uint64_t) {}
    void show(uint64_t) {}
#endif
};
