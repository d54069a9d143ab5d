"""HAProxy as the user of rendered files: checked, started, supervised, and changed without a reload where that is possible."""
