"""Reports about a run: the state of each template, and how fresh its data is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pyconsul.tools.template.deploy.fanout import Fanout
from pyconsul.tools.template.feed.share_id import ShareId, Sharing
from pyconsul.tools.template.report.run_report import RunReport, State, TemplateReport

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.deploy.runner import Runner
    from pyconsul.tools.template.deploy.unit import Unit

#: Returns the state of a share.
SharingOf = Callable[[ShareId | None], Sharing | None]


def run_report(runner: Runner) -> RunReport:
    """Return the state of a run at this moment."""
    now = runner.now()
    return RunReport(
        templates=tuple(template_reports(runner.deployables, now, runner.source.sharing)),
        ready=runner.ready,
        consul=runner.source.address,
        reachable=runner.source.reachable,
        data_age=runner.source.data_age(now),
        lookups=len(runner.used),
        uptime=now - runner.started,
    )


def template_reports(sources: Iterable[Unit | Fanout], now: float, sharing: SharingOf) -> Iterator[TemplateReport]:
    """Yield one for each file, and one for each list of a template with `for_each`. `now`: of the clock of the deadlines."""
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
        problem=rendering.problem,
        rendered=rendering.rendered,
        changes=rendering.changes,
        held=tuple(map(str, guard.held)) if guard is not None else (),
        retry_in=retry,
        dedup=sharing(rendering.spec.share),
    )
