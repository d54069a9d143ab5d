"""Tables, colors and progress bars on a terminal."""
