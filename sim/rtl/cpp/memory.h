// A deterministic AXI4 memory: addresses and data are always accepted; the first word of a read burst
// comes `latency` cycles after its address, or when the word before has left; the answer to a write
// burst comes `latency` cycles after its last word. Reads and writes are answered in order.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <type_traits>

#include "Vaccelerator.h"

class Memory {
  public:
    static constexpr uint64_t kWidth = sizeof(std::remove_reference_t<decltype(Vaccelerator::m_axi_rdata)>);

    Memory(uint8_t* bytes, uint64_t size, uint64_t latency) : bytes_(bytes), size_(size), latency_(latency) {}

    // What the memory shows in this cycle.
    void drive(Vaccelerator& top, uint64_t cycle) {
        top.m_axi_arready = 1;
        top.m_axi_awready = 1;
        top.m_axi_wready = 1;
        top.m_axi_rvalid = !reads_.empty() && reads_.front().ready <= cycle;
        if (top.m_axi_rvalid) {
            const Burst& burst = reads_.front();
            top.m_axi_rid = burst.id;
            top.m_axi_rlast = burst.words == 1;
            if (burst.address < size_) {
                std::memcpy(&top.m_axi_rdata, bytes_ + burst.address, kWidth);
                top.m_axi_rresp = kOkay;
            } else {
                std::memset(&top.m_axi_rdata, 0, kWidth);
                top.m_axi_rresp = kNobodyThere;
            }
        }
        top.m_axi_bvalid = !answers_.empty() && answers_.front().ready <= cycle;
        if (top.m_axi_bvalid) {
            top.m_axi_bid = answers_.front().id;
            top.m_axi_bresp = answers_.front().response;
        }
    }

    // What was handed over in this cycle.
    void sample(const Vaccelerator& top, uint64_t cycle) {
        if (top.m_axi_rvalid && top.m_axi_rready) {
            Burst& burst = reads_.front();
            burst.address += kWidth;
            if (--burst.words == 0) reads_.pop_front();
        }
        if (top.m_axi_bvalid && top.m_axi_bready) answers_.pop_front();
        if (top.m_axi_arvalid) {
            check(top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst);
            reads_.push_back(
                {cycle + latency_, top.m_axi_araddr & -kWidth, top.m_axi_arlen + 1u, top.m_axi_arid, kOkay});
        }
        if (top.m_axi_awvalid) {
            check(top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst);
            writes_.push_back({0, top.m_axi_awaddr & -kWidth, top.m_axi_awlen + 1u, top.m_axi_awid, kOkay});
        }
        if (top.m_axi_wvalid) write(top, cycle);
    }

    // The first rule of AXI4, or of this memory, that was broken; null where none was.
    const char* fault() const { return fault_; }

  private:
    static constexpr uint8_t kOkay = 0, kNobodyThere = 3;
    static constexpr unsigned kIncrementing = 1;

    struct Burst {
        uint64_t ready, address;
        uint32_t words, id;
        uint8_t response;
    };

    void write(const Vaccelerator& top, uint64_t cycle) {
        if (writes_.empty()) {
            fault_ = "a word was written before its address";
            return;
        }
        Burst& burst = writes_.front();
        if (burst.address < size_) {
            const auto* strobes = reinterpret_cast<const uint8_t*>(&top.m_axi_wstrb);
            const auto* data = reinterpret_cast<const uint8_t*>(&top.m_axi_wdata);
            for (uint64_t i = 0; i < kWidth; ++i)
                if (strobes[i / 8] >> i % 8 & 1) bytes_[burst.address + i] = data[i];
        } else {
            burst.response = kNobodyThere;
        }
        burst.address += kWidth;
        if (top.m_axi_wlast != (burst.words == 1)) fault_ = "WLAST is not where AWLEN says";
        if (--burst.words == 0) {
            burst.ready = cycle + latency_;
            answers_.push_back(burst);
            writes_.pop_front();
        }
    }

    void check(uint64_t address, uint64_t length, unsigned size, unsigned kind) {
        if (1u << size != kWidth) fault_ = "the words of a burst are not as wide as the port";
        if (kind != kIncrementing) fault_ = "a burst is not of kind INCR";
        const uint64_t first = address & -kWidth;
        if (first / 4096 != (first + (length + 1) * kWidth - 1) / 4096) fault_ = "a burst crosses 4 KiB";
    }

    uint8_t* bytes_;
    uint64_t size_, latency_;
    std::deque<Burst> reads_, writes_, answers_;
    const char* fault_ = nullptr;
};
