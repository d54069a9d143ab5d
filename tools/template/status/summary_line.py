"""A run in one short line, for `systemctl status` and the index page. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pyconsul.tools.template.feed.share_id import Sharing
from pyconsul.tools.template.report.run_report import RunReport, State, TemplateReport

#: Names that are listed; the rest is counted.
_LISTED = 3
#: The states in the order of importance, and their texts.
_WORSE = (
    (State.FAILED, "failed"),
    (State.PENDING, "pending"),
    (State.WAITING, "waiting"),
)


def status_line(report: RunReport) -> str:
    """Return a line such as `1 of 3 waiting: service web; Consul does not answer`."""
    parts = [_trouble(report, state, word) for state, word in _WORSE]
    said = [part for part in parts if part] or [_well(report)]
    if held := sum(len(template.held) for template in report.templates):
        said.append(f"{held} held by guards")
    if not report.reachable:
        said.append("Consul does not answer")
    said += silent_leaders(report)
    if report.data_age is not None:
        said.append(f"data {duration(report.data_age)} old")
    return "; ".join(said)


def silent_leaders(report: RunReport) -> list[str]:
    """Return `leader web1 silent for 20s` for each leader that has been silent for too long."""
    silence = {one.leader: one.silence for one in _sharings(report) if one.silent and one.silence is not None}
    return [f"leader {host} silent for {duration(seconds)}" for host, seconds in sorted(silence.items())]


def _sharings(report: RunReport) -> Iterable[Sharing]:
    return (template.dedup for template in report.templates if template.dedup is not None)


def _well(report: RunReport) -> str:
    total = len(report.templates)
    settling = sum(template.state is State.SETTLING for template in report.templates)
    if settling:
        return f"{settling} of {total} settling"
    return f"{total} template{'' if total == 1 else 's'} current"


def _trouble(report: RunReport, state: State, word: str) -> str:
    found = [template for template in report.templates if template.state is state]
    if not found:
        return ""
    names = {name: None for template in found for name in _names(template)}
    listed = ", ".join([*list(names)[:_LISTED], *(["…"] if len(names) > _LISTED else [])])
    return f"{len(found)} of {len(report.templates)} {word}: {listed}"


def _names(template: TemplateReport) -> tuple[str, ...]:
    if template.state is State.WAITING and template.missing:
        return template.missing
    return (template.destination or template.name,)


def duration(seconds: float) -> str:
    """Format as `2s`, `5m`, `3h20m` or `2d4h`: the two largest units."""
    rest, parts = int(seconds), []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
