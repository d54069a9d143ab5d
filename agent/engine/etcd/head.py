"""The last commit that a server knows: a pure state machine beside the requests.

| event | changes |
| --- | --- |
| the state was loaded | everything |
| a commit of this server was confirmed, or observed by the watch first | index, revisions, coverage |
| a commit of another server was observed | index, revision of the index, coverage |
| this server has given up a commit | revision of its row `commits/SERVER` |
| this server has changed the coverage of the history | coverage |
| this server has put another state in place | everything |
"""

from __future__ import annotations

from collections import deque

from pyconsul.agent.engine.etcd.events import Commit
from pyconsul.agent.engine.etcd.history import changes
from pyconsul.agent.engine.etcd.history.changes import Coverage
from pyconsul.agent.engine.etcd.layout import Layout
from pyconsul.agent.engine.etcd.transaction import Known

KNOWN_COMMITS = 4096  # whose revisions are remembered, so that a watch can go on after them


class Head:
    """The epoch, the index of the last commit that is known, and the revisions that the next commit is compared with."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.index = layout, 0
        self.placed_index = 0  # at which the epoch was loaded or put in place
        self.known, self.coverage = Known(0, 0), Coverage()
        self._revisions: deque[tuple[int, int]] = deque(maxlen=KNOWN_COMMITS)  # index and revision of commits

    def placed(self, layout: Layout, index: int, known: Known, coverage: Coverage, revision: int) -> None:
        """Another state was loaded, or put in place by this server, at a revision."""
        self.layout, self.known, self.coverage = layout, known, coverage
        self.index = self.placed_index = index
        self._revisions.clear()
        self._revisions.append((index, revision))

    def committed(self, layout: Layout, index: int, coverage: Coverage, revision: int) -> None:
        """A commit of this server took effect."""
        if layout is not self.layout:
            return
        self.known = Known(max(revision, self.known.index_revision), max(revision, self.known.own_revision))
        if index > self.index:
            self.index, self.coverage = index, coverage
            self._revisions.append((index, revision))

    def observe(self, commit: Commit) -> None:
        """Take over a commit from the watch, of this server or another, or one that was given up."""
        self.known = Known(self.known.index_revision, max(commit.own_revision, self.known.own_revision))
        if commit.last > self.index:
            self.known = self.known._replace(index_revision=commit.revision)
            self.index = commit.last
            self._revisions.append((commit.last, commit.revision))
            if commit.coverage is not None:
                self.coverage = changes.read_coverage(commit.coverage)

    def given_up(self, layout: Layout, revision: int) -> None:
        """This server has written its own row again, so that a commit can never be made."""
        if layout is self.layout:
            self.known = self.known._replace(own_revision=max(revision, self.known.own_revision))

    def covers(self, layout: Layout, coverage: Coverage) -> None:
        """This server has changed the coverage of the history."""
        if layout is self.layout:
            self.coverage = coverage

    def quiet(self, index: int, revision: int) -> None:
        """Nothing was committed after an index up to a revision."""
        self._revisions.append((index, revision))

    def revision_of(self, index: int) -> int | None:
        """Return a revision from which a watch delivers every commit after an index; None when it is not known any more."""
        return next((revision for known, revision in reversed(self._revisions) if known <= index), None)
