"""Makes the report of a run: what each template is doing, and how fresh its data is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pyconsul.tools.template.deploy.fanout import Fanout
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.feed.share_id import ShareId
from pyconsul.tools.template.report.run_report import Sharing, State, TemplateReport

#: Who answers a template that shares its answers.
SharingOf = Callable[[ShareId | None], Sharing | None]


def template_reports(sources: Iterable[Unit | Fanout], now: float, sharing: SharingOf) -> Iterator[TemplateReport]:
    """One for each file, and one for each list of a template with `for_each`. `now`: of the clock of the deadlines."""
    for source in sources:
        if isinstance(source, Fanout):
            yield _report(source.rendering, "", _list_state(source), None, sharing)
        for unit in source.units:
            group = unit.group.name if unit.group is not None else ""
            retry = max(unit.retry_at - now, 0.0) if unit.retry_at is not None else None
            for rendering in unit.renderings:
                yield _report(rendering, group, unit.state(rendering), retry, sharing)


def _list_state(fanout: Fanout) -> State:
    if fanout.rendering.error is not None:
        return State.FAILED
    return State.WAITING if fanout.rendering.missing or not fanout.done else State.CURRENT


def _report(rendering: Rendering, group: str, state: State, retry: float | None, sharing: SharingOf) -> TemplateReport:
    guard = rendering.evaluator.guard
    return TemplateReport(
        name=rendering.spec.name,
        destination=rendering.spec.destination,
        group=group,
        state=state,
        missing=tuple(sorted(map(str, rendering.missing))),
        trouble=rendering.trouble,
        rendered=rendering.rendered,
        changes=rendering.changes,
        held=tuple(map(str, guard.held)) if guard is not None else (),
        retry_in=retry,
        dedup=sharing(rendering.spec.share),
    )
