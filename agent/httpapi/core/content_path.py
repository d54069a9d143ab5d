"""The URL path of the web interface."""

from __future__ import annotations

from pyconsul.agent.config.sections.ui import UIConfig


def root_of(ui_config: UIConfig) -> str:
    """Return `ui_config.content_path` with a slash at both ends."""
    path = ui_config.content_path.strip("/")
    return f"/{path}/" if path else "/"
