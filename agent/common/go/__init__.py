"""How Go writes and reads values: durations, booleans, base64, quoted strings; and how it words their errors."""
