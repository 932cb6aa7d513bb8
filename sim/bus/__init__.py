"""The whole accelerator between a host and a memory that others wrote."""
