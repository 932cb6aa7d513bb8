"""Post-training quantization: observe ranges, simulate the integers, convert to the integer graph."""
