"""Links to dashboards of other programs (`ui_config.dashboard_url_templates`)."""

from __future__ import annotations

import re
from urllib.parse import quote

from pyconsul.agent.config.sections.ui import UIConfig

VARIABLE = re.compile(r"\{\{\s*([A-Za-z.]+)\s*\}\}")


def service_dashboard(ui_config: UIConfig, name: str, datacenter: str) -> str:
    """Return the address of a service's dashboard, "" without a template; names are escaped, unknown variables stay."""
    template = ui_config.dashboard_url_templates.get("service", "")
    values = {
        "Service.Name": name,
        "Service.Namespace": "default",
        "Service.Partition": "default",
        "Datacenter": datacenter,
    }
    return VARIABLE.sub(lambda found: quote(values[found[1]], safe="") if found[1] in values else found[0], template)
