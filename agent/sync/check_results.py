"""Passes results of checks from the scheduler to the local state and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyconsul.agent.health.recent_results import RecentResult, RecentResults
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.local_state import LocalState


class CheckResults:
    """Receives the results of all checks.

    output_delay_s: delay of a change of the output alone (`check_update_interval`).  discard_output: store no output.
    """

    def __init__(
        self,
        local: LocalState,
        syncer: Syncer,
        clock: Callable[[], float],
        *,
        output_delay_s: float = 300.0,
        discard_output: bool = False,
    ) -> None:
        self._local, self._syncer, self._clock = local, syncer, clock
        self._output_delay_s, self._discard_output = output_delay_s, discard_output
        self._recent = RecentResults()

    def notify(self, check_id: str, status: str, output: str) -> None:
        """Store a result, and schedule its write into the catalog."""
        text = "" if self._discard_output else output
        update = self._local.update_check(check_id, status, text, self._clock(), self._output_delay_s > 0)
        self._syncer.on_check(check_id, update, self._output_delay_s)

    def record(self, check_id: str, status: str, output: str) -> None:
        """Keep the result of a run among the last ones, whether or not it changes the status."""
        self._recent.add(check_id, self._clock(), status, "" if self._discard_output else output)

    def recent(self, check_id: str) -> Sequence[RecentResult]:
        """Return the last results of a check, the oldest first."""
        return self._recent.of(check_id)

    def forget(self, check_id: str) -> None:
        """Drop the last results of a removed check."""
        self._recent.forget(check_id)

    def reconfigure(self, discard_output: bool) -> None:
        """Apply a reloaded setting to the results that follow."""
        self._discard_output = discard_output
