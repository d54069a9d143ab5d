"""Answers that come from other instances, where one of them asks already, and from Consul otherwise.

    watcher ──told──▶ Dedup ──answers──▶ runner
       ▲                │
       └─ what is own ◀─┘ ──▶ Publisher ──▶ key ──▶ the watchers of the others
                          ──▶ HeartbeatWriter ──▶ key ──▶ Leaders of the others

It stands between the runner and the watcher. The keys of the shares are lookups of the watcher's, as all others are, and
ride out an outage with them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from pyconsul.tools.template.dedup.document import is_shareable
from pyconsul.tools.template.dedup.heartbeat import Heartbeat
from pyconsul.tools.template.dedup.heartbeat_writer import HeartbeatWriter
from pyconsul.tools.template.dedup.leaders import Leaders
from pyconsul.tools.template.dedup.publisher import Publisher
from pyconsul.tools.template.dedup.shared_answers import GRACE, Role, Share
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.share_id import Sharing

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulError
    from pyconsul.tools.template.dedup.election import Election
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.share_id import ShareId
    from pyconsul.tools.template.feed.watcher import Watcher

log = logging.getLogger("template")


class _Member:
    """One share, as this instance takes part in it."""

    def __init__(self, lookup: Lookup, now: float) -> None:
        self.lookup = lookup
        self.share = Share(now)
        self.publisher: Publisher | None = None
        self.shown: Sharing | None = None
        self.broken_since: float | None = None  # since when answers are missing that we, the leader, should tell

    def deadlines(self, now: float) -> Iterator[float | None]:
        """When something may be due though nothing changes."""
        yield self.share.deadline
        if self.broken_since is not None and self.broken_since + GRACE > now:
            yield self.broken_since + GRACE


class Dedup:
    """An `AnswerSource`. `told`: the answers of the watcher; `answers`: those of the runner. `prefix`: of the keys, with
    its slash. `host`: the name by which others know this machine. `heartbeat_s`: seconds between two heartbeats of a
    leader."""

    def __init__(
        self,
        watcher: Watcher,
        told: Answers,
        answers: Answers,
        news: asyncio.Event,
        election: Election,
        *,
        prefix: str,
        host: str,
        heartbeat_s: float,
        rng: random.Random,
    ) -> None:
        self._watcher = watcher
        self._told = told
        self._answers = answers
        self._news = news
        self._election = election
        self._prefix = prefix
        self._host = host
        self._rng = rng
        self._leaders = Leaders(election, prefix, rng)
        self._heartbeat = HeartbeatWriter(
            election, prefix, lambda: Heartbeat(host, heartbeat_s, watcher.data_age(self._now()) or 0.0)
        )
        self._wanted: dict[ShareId | None, set[Lookup]] = {}
        self._asked: set[Lookup] = set()
        self._followed: set[Lookup] = set()  # these, and the keys of the shares
        self._fresh: set[Lookup] = set()
        self._members: dict[ShareId, _Member] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    @property
    def failure(self) -> ConsulError | None:
        """What ended a lookup for good."""
        return self._watcher.failure

    @property
    def address(self) -> str:
        """Where Consul is."""
        return self._watcher.address

    @property
    def reachable(self) -> bool:
        """Whether Consul answers, as far as is known."""
        return self._watcher.reachable

    def data_age(self, now: float) -> float | None:
        """Return the age of the oldest data in use, own or shared; shared data is as old as its leader's last heartbeat."""
        ages = [self._watcher.data_age(now), *(member.share.data_age_s(now) for member in self._members.values())]
        return max((age for age in ages if age is not None), default=None)

    def sharing(self, share: ShareId | None) -> Sharing | None:
        """Return the role of this instance in the share, and the leader that it follows."""
        member = self._members.get(share) if share is not None else None
        if member is None:
            return None
        now, shown = self._now(), _sharing(member.share)
        leader = self._leaders.get(member.share.holder)
        if member.share.role not in (Role.FOLLOWER, Role.WAITING):
            return shown
        if leader is None:
            return replace(shown, data_age=member.share.data_age_s(now))
        return replace(
            shown,
            leader=leader.host or member.share.leader,
            silence=leader.silence_s(now),
            silent=leader.is_silent,
            data_age=member.share.data_age_s(now),
        )

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        """Have answers to these, too."""
        new = set(lookups)
        self._wanted.setdefault(share, set()).update(new)
        own = self._own(share, new)
        self._asked |= own
        self._watcher.watch(own)
        self._adopt(new)

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Forget all others. Whatever is evaluated has been, so what is known may be told."""
        self._wanted = {share: set(lookups) for share, lookups in used.items()}
        for gone in self._members.keys() - self._wanted.keys():
            self._resign(self._members.pop(gone))
        self._answers.retain({lookup for lookups in used.values() for lookup in lookups})
        self._ask()
        self._tell(set())
        self._set_timer()

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        changed = {one for one in self._watcher.take() if self._told.known(one)}
        self._fresh |= {one for one in changed & self._asked if self._answers.put(one, self._told.latest(one))}
        now, seen = self._now(), set[Lookup]()
        for name, member in self._members.items():
            if member.lookup in changed:
                holder = member.share.holder
                seen |= member.share.see(self._told.latest(member.lookup), self._election.session, now)
                if holder == member.share.holder:
                    self._leaders.confirm(holder, now)
            member.share.look(now, reachable=self.reachable)
            self._act(name, member)
        self._listen(changed, now)
        self._ask()
        self._adopt(seen)
        fresh, self._fresh = self._fresh, set()
        self._tell(fresh)
        leads = any(one.share.role is Role.LEADER for one in self._members.values())
        self._heartbeat.lead(self._election.session if leads else "")
        if self._election.idle and not leads:
            self._rest()
        self._set_timer()
        return fresh

    async def close(self) -> None:
        """Stop asking and telling; somebody else may lead at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._heartbeat.lead("")
        self._leaders.close()
        for member in self._members.values():
            self._leave(member)
        if self._resting is not None:
            await asyncio.gather(self._resting, return_exceptions=True)
        await asyncio.gather(self._watcher.close(), self._election.close())

    # What to ask for

    def _own(self, share: ShareId | None, wanted: Set[Lookup]) -> set[Lookup]:
        """What is to be asked for, of what a template wants."""
        if share is None:
            return set(wanted)
        if share not in self._members:
            self._join(share)
        return self._members[share].share.own(wanted, self._asked)

    def _join(self, share: ShareId) -> None:
        lookup = Lookup("key", f"{self._prefix}{share.id}/data")
        self._members[share] = _Member(lookup, self._now())
        self._watcher.watch({lookup})
        self._set_timer()

    def _ask(self) -> None:
        """Ask for what is own, and for nothing else."""
        before, own = self._asked, set[Lookup]()
        for share, lookups in self._wanted.items():
            own |= self._own(share, lookups)
        self._asked = own
        followed = own | {member.lookup for member in self._members.values()} | self._leaders.lookups
        if followed != self._followed:
            self._followed = followed
            self._watcher.watch(own | self._leaders.lookups)
            self._watcher.retain({None: followed})
        self._adopt(before - own)

    def _adopt(self, told: Set[Lookup]) -> None:
        """Take over what others tell, unless we ask for it ourselves."""
        for one in told - self._asked:
            for member in self._members.values():
                if one in member.share.answers and self._answers.put(one, member.share.answers[one]):
                    self._fresh.add(one)
                    self._news.set()

    def _listen(self, changed: Set[Lookup], now: float) -> None:
        """Hear the leaders that are followed, and miss those that are silent."""
        self._leaders.follow({one.share.holder for one in self._members.values()} - {""}, now)
        self._leaders.take(changed, self._told.latest, now)
        self._leaders.look(now, self._watcher.is_live)
        for member in self._members.values():
            leader = self._leaders.get(member.share.holder)
            member.share.note_age(leader.data_age_s(now) if leader is not None else None, now)

    # Taking part

    def _act(self, name: ShareId, member: _Member) -> None:
        """Do what the role demands."""
        share, key = member.share, member.lookup.name
        if share.vacant:
            self._election.contend(key)
        else:
            self._election.settle(key)
        if share.role is not Role.LEADER:
            self._silence(member)
        elif member.publisher is None:
            member.publisher = Publisher(self._election, key, self._host, self._rng)
        elif share.untold:
            member.publisher.repeat()
        if member.shown != (shown := _sharing(share)):
            member.shown = shown
            level = logging.WARNING if share.role is Role.ALONE else logging.INFO
            log.log(level, "%s: %s (%s)", name.template, shown.text, key)

    def _tell(self, fresh: Set[Lookup]) -> None:
        """Tell a template's answers when they are whole, or do not become so; a fresh one is to be evaluated first."""
        for name, member in self._members.items():
            wanted = self._wanted.get(name, set())
            if member.publisher is None or not wanted or not fresh.isdisjoint(wanted):
                continue
            known = {lookup for lookup in wanted if self._told.known(lookup)}
            if known == wanted:
                member.broken_since = None
            elif member.broken_since is None:
                member.broken_since = self._now()
            if member.broken_since is None or self._now() >= member.broken_since + GRACE:
                member.publisher.tell({lookup: self._told.latest(lookup) for lookup in filter(is_shareable, known)})

    @staticmethod
    def _silence(member: _Member) -> None:
        member.broken_since = None
        if member.publisher is not None:
            member.publisher.close()
            member.publisher = None

    def _leave(self, member: _Member) -> None:
        self._silence(member)
        self._election.settle(member.lookup.name)

    def _resign(self, member: _Member) -> None:
        """Its template is not used any more. A document that is still under way must not revive the key, so the whole
        session ends; other shares that it led are contended for anew."""
        leads = member.share.role is Role.LEADER
        self._leave(member)
        if leads:
            self._rest()

    def _rest(self) -> None:
        """End the session."""
        if self._resting is None or self._resting.done():
            self._resting = asyncio.create_task(self._election.rest())

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._now()
        deadlines = [one for member in self._members.values() for one in member.deadlines(now)]
        later = [one for one in (*deadlines, *self._leaders.deadlines) if one is not None]
        if later:
            self._timer = asyncio.get_running_loop().call_at(min(later), self._news.set)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _sharing(share: Share) -> Sharing:
    texts = {
        Role.LEADER: "leads: asks Consul and tells the others",
        Role.FOLLOWER: f"follows {share.leader}",
        Role.ALONE: f"asks for itself: {share.problem}",
        Role.WAITING: "waits for a leader",
    }
    return Sharing(share.role.value, texts[share.role])
