// One run of the accelerator; sim/rtl/play.py writes its files and reads what it prints.
//
//     simulator FOLDER LATENCY LIMIT SCOPE NAME [WAVES FIRST LAST]
//
// LATENCY is the memory's, LIMIT the cycles after which a run is given up, SCOPE and NAME those of the
// scratchpad's array in the model. The signals of the cycles FIRST..LAST go to the file WAVES, if the
// simulator was built for that. Files in FOLDER:
//
//     job         32-bit words: number of writes, number of reads; address and data of every write;
//                 address of every read. The last write starts the machine, reads follow its end.
//     dram        the memory's image, changed in place
//     scratchpad  what the scratchpad holds before the run, then what it holds at the end
//     probes      see probes.h; their states are changed in place
//     differences written: of every probe that is different its number, 32 bits, and the bytes found
//     trace       written, 64-bit words: per unit the number of starts, their cycles, the number of
//                 ends, their cycles; an end is the cycle after an instruction's last one
//
// Printed are lines of a name and a value: `cycle` now and then; `fault` where something broke the rules;
// at the end `cycles`, `nanoseconds`, and a `register` per read.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "Vaccelerator.h"
#include "bench.h"
#include "verilated_sym_props.h"
#include "verilated_syms.h"
#include "waves.h"

namespace {

constexpr int kInterrupted = 130;

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(2);
}

// A file's contents; what is written there is in the file.
template <typename Item>
std::span<Item> mapped(const char* path) {
    const int file = open(path, O_RDWR);
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0) fail(path);
    if (facts.st_size == 0) return {};
    void* place = mmap(nullptr, facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place == MAP_FAILED) fail(path);
    close(file);
    return {static_cast<Item*>(place), facts.st_size / sizeof(Item)};
}

uint8_t* array(const char* scope, const char* name) {
    const VerilatedScope* found = Verilated::scopeFind(scope);
    const VerilatedVar* variable = found ? found->varFind(name) : nullptr;
    if (!variable) {
        std::fprintf(stderr, "the model has no array %s in %s\n", name, scope);
        std::exit(2);
    }
    return static_cast<uint8_t*>(variable->datap());
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 6 && count != 9) {
        std::fprintf(stderr, "usage: %s FOLDER LATENCY LIMIT SCOPE NAME [WAVES FIRST LAST]\n", arguments[0]);
        return 2;
    }
    if (chdir(arguments[1]) != 0) fail(arguments[1]);
    std::signal(SIGINT, interrupt);
    const uint64_t latency = std::strtoull(arguments[2], nullptr, 10);
    const uint64_t limit = std::strtoull(arguments[3], nullptr, 10);
    const auto words = mapped<uint32_t>("job");
    const auto dram = mapped<uint8_t>("dram");
    const auto scratchpad = mapped<uint8_t>("scratchpad");
    const auto probe_list = mapped<Probe>("probes");
    const auto* writes = reinterpret_cast<const Write*>(&words[2]);
    const Write* const start = writes + words[0] - 1;
    const auto* reads = reinterpret_cast<const uint32_t*>(start + 1);

    Vaccelerator top;
    Memory memory(dram.data(), dram.size(), latency);
    Trace trace;
    uint8_t* const inside = array(arguments[4], arguments[5]);
    Probes probes(inside, probe_list.data(), probe_list.size(), "differences");
    const auto cycle = [&](int k) { return count == 9 ? std::strtoull(arguments[k], nullptr, 10) : 0; };
    Waves waves(top, count == 9 ? arguments[6] : nullptr, cycle(7), cycle(8));
    Bench bench(top, memory, trace, probes, waves);
    // Not before: the first cycle runs what the Verilog has for the memory's contents.
    std::memcpy(inside, scratchpad.data(), scratchpad.size());
    bench.access({writes, start}, {});
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t cycles = bench.run(*start, limit, interrupted);
    const std::chrono::nanoseconds spent = std::chrono::steady_clock::now() - begin;
    if (interrupted) return kInterrupted;
    bench.settle();
    std::memcpy(scratchpad.data(), inside, scratchpad.size());
    std::printf("cycles %llu\n", static_cast<unsigned long long>(cycles));
    std::printf("nanoseconds %llu\n", static_cast<unsigned long long>(spent.count()));
    for (const uint32_t value : bench.access({}, {reads, reads + words[1]})) std::printf("register %u\n", value);
    top.final();
    if (!trace.save("trace")) fail("trace");
    return 0;
}
