"""Take answers from another instance where one shares them, and from Consul otherwise.

    watcher ─ consul_answers ─▶ Dedup ─ answers ─▶ runner
       ▲                          │
       └────── own lookups ◀──────┘ ─▶ Publisher ─▶ key ─▶ watchers of the others
                                    ─▶ HeartbeatWriter ─▶ key ─▶ Leaders of the others

It stands between the runner and the watcher. The keys of the shares are lookups of the watcher like all others.
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
from pyconsul.tools.template.dedup.shared_answers import GRACE_S, Role, Share
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
    """This instance as a member of one share."""

    def __init__(self, lookup: Lookup, now: float) -> None:
        self.lookup = lookup
        self.share = Share(now)
        self.publisher: Publisher | None = None
        self.logged: Sharing | None = None
        self.broken_since: float | None = None  # since when answers are missing that we, the leader, should share

    def deadlines(self, now: float) -> Iterator[float | None]:
        """Yield the times at which to act without a change."""
        yield self.share.deadline
        if self.broken_since is not None and self.broken_since + GRACE_S > now:
            yield self.broken_since + GRACE_S


class Dedup:
    """An `AnswerSource`. `consul_answers`: the answers of the watcher; `answers`: those of the runner. `prefix`: of the
    keys, with its slash. `host`: the name of this machine for the others. `heartbeat_s`: interval of a leader's
    heartbeats."""

    def __init__(
        self,
        watcher: Watcher,
        consul_answers: Answers,
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
        self._consul_answers = consul_answers
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
        self._queried: set[Lookup] = set()
        self._followed: set[Lookup] = set()  # the own lookups and the keys of the shares
        self._fresh: set[Lookup] = set()
        self._members: dict[ShareId, _Member] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._releasing: asyncio.Task[None] | None = None

    @property
    def failure(self) -> ConsulError | None:
        """The error that ended a lookup for good."""
        return self._watcher.failure

    @property
    def address(self) -> str:
        """Consul's address."""
        return self._watcher.address

    @property
    def reachable(self) -> bool:
        """Return whether Consul answers, as far as is known."""
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
        """Watch these lookups in addition."""
        new = set(lookups)
        self._wanted.setdefault(share, set()).update(new)
        own = self._own(share, new)
        self._queried |= own
        self._watcher.watch(own)
        self._adopt(new)

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Forget all others. All templates are evaluated now, so known answers may be shared."""
        self._wanted = {share: set(lookups) for share, lookups in used.items()}
        for gone in self._members.keys() - self._wanted.keys():
            self._resign(self._members.pop(gone))
        self._answers.retain({lookup for lookups in used.values() for lookup in lookups})
        self._update_queries()
        self._publish(set())
        self._set_timer()

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        changed = {one for one in self._watcher.take() if self._consul_answers.known(one)}
        self._fresh |= {
            one for one in changed & self._queried if self._answers.put(one, self._consul_answers.latest(one))
        }
        now, seen = self._now(), set[Lookup]()
        for name, member in self._members.items():
            if member.lookup in changed:
                holder = member.share.holder
                seen |= member.share.update(self._consul_answers.latest(member.lookup), self._election.session, now)
                if holder == member.share.holder:
                    self._leaders.confirm(holder, now)
            member.share.check_wait(now, reachable=self.reachable)
            self._act(name, member)
        self._follow_leaders(changed, now)
        self._update_queries()
        self._adopt(seen)
        fresh, self._fresh = self._fresh, set()
        self._publish(fresh)
        leads = any(one.share.role is Role.LEADER for one in self._members.values())
        self._heartbeat.lead(self._election.session if leads else "")
        if self._election.idle and not leads:
            self._release_session()
        self._set_timer()
        return fresh

    async def close(self) -> None:
        """Stop all queries and end the session, so that another instance may lead at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._heartbeat.lead("")
        self._leaders.close()
        for member in self._members.values():
            self._leave(member)
        if self._releasing is not None:
            await asyncio.gather(self._releasing, return_exceptions=True)
        await asyncio.gather(self._watcher.close(), self._election.close())

    # Own queries

    def _own(self, share: ShareId | None, wanted: Set[Lookup]) -> set[Lookup]:
        """Return those of a template's lookups that this instance queries."""
        if share is None:
            return set(wanted)
        if share not in self._members:
            self._join(share)
        return self._members[share].share.own_lookups(wanted, self._queried)

    def _join(self, share: ShareId) -> None:
        lookup = Lookup("key", f"{self._prefix}{share.id}/data")
        self._members[share] = _Member(lookup, self._now())
        self._watcher.watch({lookup})
        self._set_timer()

    def _update_queries(self) -> None:
        """Let the watcher query the own lookups, and no others."""
        before, own = self._queried, set[Lookup]()
        for share, lookups in self._wanted.items():
            own |= self._own(share, lookups)
        self._queried = own
        followed = own | {member.lookup for member in self._members.values()} | self._leaders.lookups
        if followed != self._followed:
            self._followed = followed
            self._watcher.watch(own | self._leaders.lookups)
            self._watcher.retain({None: followed})
        self._adopt(before - own)

    def _adopt(self, consul_answers: Set[Lookup]) -> None:
        """Take shared answers to lookups that this instance does not query."""
        for one in consul_answers - self._queried:
            for member in self._members.values():
                if one in member.share.answers and self._answers.put(one, member.share.answers[one]):
                    self._fresh.add(one)
                    self._news.set()

    def _follow_leaders(self, changed: Set[Lookup], now: float) -> None:
        """Take the heartbeats of the leaders, and note which are silent."""
        self._leaders.follow({one.share.holder for one in self._members.values()} - {""}, now)
        self._leaders.take(changed, self._consul_answers.latest, now)
        self._leaders.look(now, self._watcher.is_live)
        for member in self._members.values():
            leader = self._leaders.get(member.share.holder)
            member.share.note_age(leader.data_age_s(now) if leader is not None else None, now)

    # Membership

    def _act(self, name: ShareId, member: _Member) -> None:
        """Act according to the role."""
        share, key = member.share, member.lookup.name
        if share.vacant:
            self._election.campaign(key)
        else:
            self._election.withdraw(key)
        if share.role is not Role.LEADER:
            self._stop_publishing(member)
        elif member.publisher is None:
            member.publisher = Publisher(self._election, key, self._host, self._rng)
        elif share.is_unpublished:
            member.publisher.repeat()
        if member.logged != (shown := _sharing(share)):
            member.logged = shown
            level = logging.WARNING if share.role is Role.ALONE else logging.INFO
            log.log(level, "%s: %s (%s)", name.template, shown.text, key)

    def _publish(self, fresh: Set[Lookup]) -> None:
        """Share a template's answers when they are complete, or after a grace period; fresh ones are evaluated first."""
        for name, member in self._members.items():
            wanted = self._wanted.get(name, set())
            if member.publisher is None or not wanted or not fresh.isdisjoint(wanted):
                continue
            known = {lookup for lookup in wanted if self._consul_answers.known(lookup)}
            if known == wanted:
                member.broken_since = None
            elif member.broken_since is None:
                member.broken_since = self._now()
            if member.broken_since is None or self._now() >= member.broken_since + GRACE_S:
                member.publisher.publish(
                    {lookup: self._consul_answers.latest(lookup) for lookup in filter(is_shareable, known)}
                )

    @staticmethod
    def _stop_publishing(member: _Member) -> None:
        member.broken_since = None
        if member.publisher is not None:
            member.publisher.close()
            member.publisher = None

    def _leave(self, member: _Member) -> None:
        self._stop_publishing(member)
        self._election.withdraw(member.lookup.name)

    def _resign(self, member: _Member) -> None:
        """Leave the share of a template that is not used any more. A document that is under way must not restore the key,
        so the whole session ends; this instance campaigns again for other shares that it led."""
        leads = member.share.role is Role.LEADER
        self._leave(member)
        if leads:
            self._release_session()

    def _release_session(self) -> None:
        """End the session."""
        if self._releasing is None or self._releasing.done():
            self._releasing = asyncio.create_task(self._election.release_session())

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
        Role.LEADER: "leads: queries Consul and shares the answers",
        Role.FOLLOWER: f"follows {share.leader}",
        Role.ALONE: f"queries Consul itself: {share.problem}",
        Role.WAITING: "waits for a leader",
    }
    return Sharing(share.role.value, texts[share.role])
