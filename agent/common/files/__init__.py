"""Files that all programs read and write: HCL, atomic replacement, logs."""
