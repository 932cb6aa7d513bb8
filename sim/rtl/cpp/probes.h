// What the scratchpad holds when instructions are complete, against checksums of what it should hold.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>

struct Probe {
    enum State : uint32_t { kNotReached, kEqual, kDifferent };

    uint32_t unit, completed;  // once the unit has completed so many instructions,
    uint32_t address, stride, rows, row_bytes;
    uint32_t checksum;  // CRC-32 of the rows one after another
    uint32_t state;     // is found out here
};

class Probes {
  public:
    // Probes in order of unit, then of instructions completed. The number of each that is different and
    // its bytes are appended to a file, up to a limit.
    Probes(const uint8_t* scratchpad, Probe* probes, size_t count, const char* differences)
        : scratchpad_(scratchpad), first_(probes), differences_(differences) {
        for (size_t i = 0; i < count; ++i) {
            Queue& queue = queues_[probes[i].unit];
            if (!queue.next) queue.next = probes + i;
            queue.end = probes + i + 1;
        }
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
            table_[i] = value;
        }
    }

    // The unit completes an instruction, its `completed`-th, at the end of this cycle.
    void complete(unsigned unit, uint64_t completed, uint64_t cycle) {
        Queue& queue = queues_[unit];
        for (; queue.next != queue.end && queue.next->completed == completed; ++queue.next)
            due_.push_back({cycle + kLanded, queue.next});
    }

    // To be called in every cycle.
    void check(uint64_t cycle) {
        for (; !due_.empty() && due_.front().cycle <= cycle; due_.pop_front()) {
            Probe& probe = *due_.front().probe;
            const bool equal = checksum(probe) == probe.checksum;
            probe.state = equal ? Probe::kEqual : Probe::kDifferent;
            if (!equal) save(probe);
        }
    }

    // Cycles after an instruction's last one until its writes have landed: fewer than any other
    // instruction needs to its first access.
    static constexpr uint64_t kLanded = 4;

  private:
    struct Queue {
        Probe *next = nullptr, *end = nullptr;
    };
    struct Due {
        uint64_t cycle;
        Probe* probe;
    };

    uint32_t checksum(const Probe& probe) const {
        uint32_t value = ~0u;
        for (uint32_t row = 0; row < probe.rows; ++row) {
            const uint8_t* bytes = scratchpad_ + probe.address + uint64_t{row} * probe.stride;
            for (uint32_t i = 0; i < probe.row_bytes; ++i) value = value >> 8 ^ table_[(value ^ bytes[i]) & 255];
        }
        return ~value;
    }

    void save(const Probe& probe) {
        const uint64_t size = uint64_t{probe.rows} * probe.row_bytes;
        if (saved_ + size > kSaved) return;
        if (std::FILE* file = std::fopen(differences_, "ab")) {
            const uint32_t number = &probe - first_;
            std::fwrite(&number, sizeof number, 1, file);
            for (uint32_t row = 0; row < probe.rows; ++row)
                std::fwrite(scratchpad_ + probe.address + uint64_t{row} * probe.stride, probe.row_bytes, 1, file);
            std::fclose(file);
            saved_ += size;
        }
    }

    static constexpr uint64_t kSaved = 1 << 28;

    const uint8_t* scratchpad_;
    const Probe* first_;
    const char* differences_;
    uint64_t saved_ = 0;
    std::array<Queue, 8> queues_;
    std::array<uint32_t, 256> table_;
    std::deque<Due> due_;
};
