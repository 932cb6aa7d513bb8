// The accelerator with a host, a memory and those who watch, cycle by cycle.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "Vaccelerator.h"
#include "control.h"
#include "memory.h"
#include "probes.h"
#include "trace.h"
#include "waves.h"

class Bench {
  public:
    Bench(Vaccelerator& top, Memory& memory, Trace& trace, Probes& probes, Waves& waves)
        : top_(top), memory_(memory), trace_(trace), probes_(probes), waves_(waves) {
        top_.rst = 1;
        idle(kReset);
        top_.rst = 0;
    }

    // All of it, until every write is answered and every read has its value.
    const std::vector<uint32_t>& access(std::vector<Write> writes, std::vector<uint32_t> reads) {
        control_.begin(std::move(writes), std::move(reads));
        for (uint64_t i = 0; i < kPatience && control_.busy() && !control_.fault(); ++i) step();
        report_fault(control_.busy() && !control_.fault() ? "the control registers do not answer"
                                                          : control_.fault());
        return control_.values();
    }

    // From the write that starts the machine to the first cycle in which it does not run: cycles.
    uint64_t run(Write start, uint64_t limit, const volatile std::sig_atomic_t& interrupted) {
        control_.begin({start}, {});
        for (uint64_t i = 0; i < kStart && !running_; ++i) step();
        if (!running_) report_fault("the machine does not start");
        uint64_t next_report = kReport;
        while (running_ && cycles_ < limit && !memory_.fault() && !interrupted) {
            step();
            if (cycles_ == next_report) {
                std::printf("cycle %llu\n", static_cast<unsigned long long>(cycles_));
                std::fflush(stdout);
                next_report += kReport;
            }
        }
        report_fault(memory_.fault());
        if (cycles_ == limit) report_fault("the machine still runs at the limit of cycles");
        return cycles_;
    }

    // Until nothing is under way any more.
    void settle() { idle(kSettle); }

  private:
    static constexpr uint64_t kReset = 8;
    static constexpr uint64_t kPatience = 10'000'000;  // cycles in which the control registers must answer
    static constexpr uint64_t kStart = 10'000'000;     // cycles in which the machine must fetch and start
    static constexpr uint64_t kSettle = 20'000;        // cycles
    static constexpr uint64_t kReport = 1 << 18;       // cycles between two reports of progress

    static void report_fault(const char* what) {
        if (what) std::printf("fault %s\n", what);
    }

    void idle(uint64_t cycles) {
        for (uint64_t i = 0; i < cycles; ++i) step();
    }

    // A cycle: inputs, what follows from them without the clock, what is seen, the clock's edge.
    void step() {
        memory_.drive(top_, cycle_);
        control_.drive(top_);
        top_.clk = 0;
        top_.eval();
        probes_.check(cycle_);
        running_ = top_.running;
        if (running_) {
            waves_.show(Waves::kCycle * cycles_ + Waves::kSettled);
            watch();
        }
        memory_.sample(top_, cycle_);
        control_.sample(top_);
        top_.clk = 1;
        top_.eval();
        if (running_) waves_.show(Waves::kCycle * cycles_);
        ++cycle_;
    }

    void watch() {
        const unsigned starts = top_.trace_start, ends = top_.trace_finishing;
        if (starts | ends) {
            for (unsigned unit = 0; unit < Trace::kUnits; ++unit) {
                if (starts >> unit & 1) trace_.start(unit, cycles_);
                if (ends >> unit & 1) probes_.complete(unit, trace_.end(unit, cycles_ + 1), cycle_);
            }
        }
        ++cycles_;
    }

    Vaccelerator& top_;
    Memory& memory_;
    Trace& trace_;
    Probes& probes_;
    Waves& waves_;
    Control control_;
    uint64_t cycle_ = 0, cycles_ = 0;  // since the reset; in which the machine ran
    bool running_ = false;
};
