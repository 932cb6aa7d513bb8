"""Whole programs in the RTL, compared with the emulator to the bit and the cycle."""
