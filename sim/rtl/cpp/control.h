// The host's side of AXI4-Lite: a list of writes, then a list of reads, as fast as they are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "Vaccelerator.h"

struct Write {
    uint32_t address, data;
};

class Control {
  public:
    void begin(std::vector<Write> writes, std::vector<uint32_t> reads) {
        writes_ = std::move(writes);
        reads_ = std::move(reads);
        values_.clear();
        addressed_ = sent_ = answered_ = asked_ = 0;
    }

    bool busy() const { return answered_ < writes_.size() || values_.size() < reads_.size(); }
    const std::vector<uint32_t>& values() const { return values_; }

    // The first access that was refused.
    const char* fault() const { return fault_; }

    void drive(Vaccelerator& top) const {
        top.s_axil_awvalid = addressed_ < writes_.size();
        if (top.s_axil_awvalid) top.s_axil_awaddr = writes_[addressed_].address;
        top.s_axil_wvalid = sent_ < writes_.size();
        if (top.s_axil_wvalid) top.s_axil_wdata = writes_[sent_].data;
        top.s_axil_wstrb = 15;
        top.s_axil_bready = 1;
        top.s_axil_arvalid = asked_ < reads_.size();
        if (top.s_axil_arvalid) top.s_axil_araddr = reads_[asked_];
        top.s_axil_rready = 1;
    }

    void sample(const Vaccelerator& top) {
        addressed_ += top.s_axil_awvalid && top.s_axil_awready;
        sent_ += top.s_axil_wvalid && top.s_axil_wready;
        asked_ += top.s_axil_arvalid && top.s_axil_arready;
        if (top.s_axil_bvalid) {
            ++answered_;
            if (top.s_axil_bresp) fault_ = "a write of the control registers was refused";
        }
        if (top.s_axil_rvalid) {
            values_.push_back(top.s_axil_rdata);
            if (top.s_axil_rresp) fault_ = "a read of the control registers was refused";
        }
    }

  private:
    std::vector<Write> writes_;
    std::vector<uint32_t> reads_, values_;
    size_t addressed_ = 0, sent_ = 0, answered_ = 0, asked_ = 0;
    const char* fault_ = nullptr;
};
