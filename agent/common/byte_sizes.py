"""Byte sizes for people, in powers of 1024."""

from __future__ import annotations

_UNITS = ("B", "KB", "MB", "GB", "TB")


def format_byte_size(size_bytes: int, gap: str = "") -> str:
    """Format a size with at most one decimal: 1536 is `1.5KB`, nothing is `0`. `gap` separates number and unit."""
    if not size_bytes:
        return "0"
    value, unit = float(size_bytes), ""
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.1f}".removesuffix(".0") + gap + unit
