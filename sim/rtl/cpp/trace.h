// In which cycles instructions start and end, by unit.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

class Trace {
  public:
    static constexpr unsigned kUnits = 7;

    void start(unsigned unit, uint64_t cycle) { starts_[unit].push_back(cycle); }

    // Gives the number of instructions that the unit has completed.
    uint64_t end(unsigned unit, uint64_t cycle) {
        ends_[unit].push_back(cycle);
        return ends_[unit].size();
    }

    bool save(const char* path) const {
        std::FILE* file = std::fopen(path, "wb");
        if (!file) return false;
        for (unsigned unit = 0; unit < kUnits; ++unit) {
            for (const auto* cycles : {&starts_[unit], &ends_[unit]}) {
                const uint64_t count = cycles->size();
                std::fwrite(&count, sizeof count, 1, file);
                std::fwrite(cycles->data(), sizeof count, count, file);
            }
        }
        return std::fclose(file) == 0;
    }

  private:
    std::array<std::vector<uint64_t>, kUnits> starts_, ends_;
};
