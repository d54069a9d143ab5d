"""Settings of the web interface: `ui_config`."""

from typing import Annotated, Any

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import setting

_RECEIVED = ' received: "{value}"'
_PATH_ERROR = "ui-content-path can only contain alphanumeric, -, _, or /." + _RECEIVED
_NAME_ERROR = "ui_config.metrics_provider can only contain lowercase alphanumeric, - or _ characters." + _RECEIVED
_OPTIONS_ERROR = (
    "ui_config.metrics_provider_options_json must be empty or a string containing a valid JSON object." + _RECEIVED
)
_PROXY_ERROR = "ui_config.metrics_proxy.base_url must be a valid http or https URL." + _RECEIVED
# Consul shows no value here.
_DASHBOARD_ERROR = 'ui_config.dashboard_url_templates values must be a valid http or https URL. received: ""'


class MetricsProxy(msgspec.Struct, frozen=True, kw_only=True):
    """`/v1/internal/ui/metrics-proxy/`: reads of a metrics server, for callers that may read all services and nodes."""

    base_url: Annotated[
        str, setting("URL of the metrics server; empty: no proxy.", check=validators.optional_url, error=_PROXY_ERROR)
    ] = ""
    path_allowlist: Annotated[
        tuple[str, ...],
        setting("Paths that may be read; empty with the provider prometheus: its queries, otherwise all."),
    ] = ()
    add_headers: Annotated[
        tuple[dict[str, Any], ...],
        setting(
            "Headers added to each read, as objects with `name` and `value`.",
            check=validators.named_headers,
            secret=True,
        ),
    ] = ()


class UIConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The web interface."""

    enabled: Annotated[bool, setting("Serve the web interface.", "ui", dev=True)] = False
    content_path: Annotated[
        str,
        setting("URL path of the web interface.", "ui-content-path", check=validators.ui_path, error=_PATH_ERROR),
    ] = "/ui/"
    dir: Annotated[str, setting("Directory of pages that are served instead of the web interface.", "ui-dir")] = ""
    read_only: Annotated[bool, setting("Let the web interface show things, but change nothing.")] = False
    dashboard_url_templates: Annotated[
        dict[str, str],
        setting(
            "Links to dashboards by kind: `service`, with {{Service.Name}} and {{Datacenter}}.",
            check=validators.dashboard_urls,
            error=_DASHBOARD_ERROR,
        ),
    ] = {}
    metrics_provider: Annotated[
        str,
        setting(
            "Name of a provider of metrics.",
            check=validators.provider_name,
            error=_NAME_ERROR,
            unsupported="charts in the web interface",
        ),
    ] = ""
    metrics_provider_files: Annotated[
        tuple[str, ...], setting("Scripts of the provider.", unsupported="charts in the web interface")
    ] = ()
    metrics_provider_options_json: Annotated[
        str,
        setting(
            "Options of the provider.",
            check=validators.json_object,
            error=_OPTIONS_ERROR,
            unsupported="charts in the web interface",
        ),
    ] = ""
    metrics_proxy: Annotated[MetricsProxy, setting("Reads of a metrics server.")] = MetricsProxy()
