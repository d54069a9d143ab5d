"""Values as Go reads and writes them (durations, booleans, base64, quoted strings), and the texts of its errors."""
