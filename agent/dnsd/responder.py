"""Answers DNS packets: parsing, caches, answers, and names that need recursors."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer
from pyconsul.agent.dnsd.addresses import is_public
from pyconsul.agent.dnsd.answer import AnswerContext, answer, subject_of
from pyconsul.agent.dnsd.cache import MAX_WINDOWS, ORDERINGS, Orderings, TopicCache, Windows
from pyconsul.agent.dnsd.recursors import Recursors
from pyconsul.agent.dnsd.services import Service, service_of
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import Fetch, NotHeld, Views
from pyconsul.agent.dnsd.wire import encode, trim
from pyconsul.agent.dnsd.wire.layout import Record
from pyconsul.agent.dnsd.wire.packed import Rotation
from pyconsul.agent.dnsd.wire.question import Malformed, Question, log_question, parse
from pyconsul.agent.dnsd.wire.reply import Reply
from pyconsul.agent.state import topics
from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.state.watches import Watches

MAX_CACHE_BYTES = {True: 16 << 20, False: 8 << 20}  # of the cached answers, with their keys, over UDP and TCP
OVERHEAD = 2000  # bytes of a cached answer, without its key and its orderings
ANSWER_OVERHEAD = 33  # bytes of an object that holds bytes
MAX_ONCE = 16_000  # questions that are remembered, to cache their answers when they come again
INSTANCES = 50_000  # digested instances that are kept
PUBLIC_SIZE = 1232  # bytes of an answer over UDP to a public address, which may be forged to flood its owner
FEW = 4  # instances that are digested as quickly as kept
PATIENCE_S = 4.0  # for rows from a server; clients ask again after 5 s
MAX_FETCHED = 8  # parts of the catalog that are fetched for one question
LARGEST_KEY = 320  # bytes of a question that may be cached: any name, and a short OPT record

log = logging.getLogger("agent.dns")


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that needs recursors, or rows from a server.  keeps_order: later answers of its connection wait for it."""

    finish: Callable[[], Awaitable[bytes]]
    keeps_order: bool = False


class Responder:
    """Answers packets of one agent.

    views: where answers read the catalog.  fetch: gets what they do not hold; None: they hold everything.
    cached_over_udp: returns the cached answer to a question, given the packet behind its id.
    """

    def __init__(
        self,
        views: Views,
        watches: Watches,
        settings: Settings,
        *,
        fetch: Fetch | None = None,
        caller: Callable[[], Authorizer] = lambda: EVERYTHING,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._views, self._fetch, self._caller, self._clock = views, fetch, caller, clock
        self._rng = rng or random.Random()
        # By protocol (UDP: True); the keys are packets behind their id.
        self._answers: dict[bool, TopicCache[bytes, Orderings | Windows]] = {
            udp: TopicCache(watches, limit) for udp, limit in MAX_CACHE_BYTES.items()
        }
        self.cached_over_udp: Callable[[bytes], Orderings | Windows | None] = self._answers[True].values.get
        self._services: TopicCache[str, Service] = TopicCache(watches, INSTANCES)
        self._once: dict[bytes, None] = {}
        self._recursors = Recursors(settings, self._rng)

    def reconfigure(self, settings: Settings) -> None:
        """Use other settings from now on; drop cached answers."""
        self.settings = settings
        self._recursors = Recursors(settings, self._rng)
        self.forget()

    def forget(self) -> None:
        """Drop everything that is cached: settings or permissions have changed."""
        self._services.clear()
        self._once.clear()
        for kept in self._answers.values():
            kept.clear()

    def respond(self, packet: bytes, udp: bool, source: str) -> bytes | Later | None:
        """Return the answer to a packet, without the id; None when it deserves none.  Never raises."""
        if log.isEnabledFor(logging.DEBUG):
            # Nothing is cached then: cached answers do not reach this method, and would not be logged.
            log_question(packet, udp, source)
            self._answers[udp].drop(packet[2:])
        cached = self._answers[udp].values.get(packet[2:])
        try:
            if cached is not None and not (udp and cached.large and is_public(source)):
                return cached.take()
            question = parse(packet)
        except Malformed as error:
            return error.reply or None
        except Exception:
            log.exception("a question could not be answered again")
            return None
        try:
            return self._fresh(packet, question, udp, source, self._views)
        except NotHeld:
            return Later(partial(self._fetched, packet, question, udp, source), keeps_order=True)
        except Unavailable:
            return encode.failure(question, self.settings, authoritative=True)
        except Exception:
            log.exception("a question could not be answered: type=%d labels=%d", question.rdtype, len(question.labels))
            return encode.failure(question, self.settings)

    async def _fetched(self, packet: bytes, question: Question, udp: bool, source: str) -> bytes:
        """Answer with what is held and what `fetch` gets; one part may lead to another."""
        views = self._views
        try:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(MAX_FETCHED):
                    try:
                        found = self._fresh(packet, question, udp, source, views)
                        return found if isinstance(found, bytes) else await found.finish()
                    except NotHeld as missing:
                        if self._fetch is None:
                            raise
                        views = await self._fetch(missing.part, views)
        except (TimeoutError, Unavailable) as error:
            log.debug("a question could not be answered: error=%s", str(error) or "no server answers in time")
            return encode.failure(question, self.settings, authoritative=True)
        except Exception:
            log.exception("a question could not be answered: type=%d labels=%d", question.rdtype, len(question.labels))
        return encode.failure(question, self.settings)

    def _fresh(self, packet: bytes, question: Question, udp: bool, source: str, views: Views) -> bytes | Later:
        reply = self._answer(question, udp, source, views)
        if self.settings.recursors:
            if reply.refused:
                return Later(partial(self._forward, packet, question, udp, source))
            if reply.wanted:
                return Later(partial(self._resolve, question, udp, source, views, reply.wanted))
        wire = encode.encode(reply, question, self.settings, udp)
        if not reply.passing and views is self._views and views.is_lasting:
            self._remember(packet[2:], question, udp, source, reply, wire)
        if udp and len(wire) + 2 > PUBLIC_SIZE and is_public(source):
            _limit_to(PUBLIC_SIZE, question)
            return encode.encode(self._answer(question, udp, source, views), question, self.settings, udp)
        return wire

    def _answer(
        self,
        question: Question,
        udp: bool,
        source: str,
        views: Views,
        resolved: Mapping[bytes, Sequence[Record]] | None = None,
        fresh: bool = False,
        rotation: Rotation | None = None,
    ) -> Reply:
        subject, caller = subject_of(question, self.settings), self._caller()
        known = AnswerContext(
            views,
            self.settings,
            self._rng.random,
            self._clock(),
            caller,
            self._service(subject.service, caller, views) if subject.service else None,
            resolved,
            source,
            fresh,
            rotation,
        )
        return answer(question, subject, known, trim.room_for(question, udp, self.settings))

    def _service(self, name: str, caller: Authorizer, views: Views) -> Service:
        view = views.service(name)
        is_kept = views is self._views and views.is_lasting
        known = self._services.values.get(name) if is_kept else None
        if known is None:
            known = service_of(view, name, self.settings, caller)
            if is_kept and len(known.found) > FEW:
                self._services.put(name, known, (topics.of_service(name),), len(known.found))
        return known

    def _remember(self, asked: bytes, question: Question, udp: bool, source: str, reply: Reply, wire: bytes) -> None:
        """Cache an answer that is asked for the second time: names that come once would push out all others."""
        if asked not in self._once:
            if len(self._once) >= MAX_ONCE:
                self._once.clear()
            if len(asked) <= LARGEST_KEY:
                self._once[asked] = None
            return
        if log.isEnabledFor(logging.DEBUG):
            return
        if reply.varied and reply.partial:
            if reply.many > MAX_WINDOWS:
                return
            kept: Orderings | Windows = Windows(partial(self._again, question, udp, source, Rotation()), reply.many)
            count = reply.many
        else:
            again = partial(self._again, question, udp, source) if reply.varied else None
            kept, count = Orderings(wire, again), ORDERINGS if again else 1
        size = OVERHEAD + len(asked) + (len(wire) + ANSWER_OVERHEAD) * count
        kept.large = len(wire) + 2 > PUBLIC_SIZE
        self._answers[udp].put(asked, kept, reply.topics, size)

    def _again(self, question: Question, udp: bool, source: str, rotation: Rotation | None = None) -> bytes:
        reply = self._answer(question, udp, source, self._views, fresh=True, rotation=rotation)
        return encode.encode(reply, question, self.settings, udp)

    async def _forward(self, packet: bytes, question: Question, udp: bool, source: str) -> bytes:
        found = await self._recursors.forward(packet, question.wire, udp)
        if found is None:
            return encode.failure(question, self.settings)
        if not udp:
            return found
        if is_public(source):
            _limit_to(PUBLIC_SIZE, question)
        return encode.cut(found, question)

    async def _resolve(
        self, question: Question, udp: bool, source: str, views: Views, wanted: Sequence[bytes]
    ) -> bytes:
        if udp and is_public(source):
            _limit_to(PUBLIC_SIZE, question)
        resolved: dict[bytes, Sequence[Record]] = {}
        for _ in range(3):  # instances are picked at random, so an answer may need other hosts
            hosts = [host for host in dict.fromkeys(wanted) if host not in resolved]
            found = await asyncio.gather(*map(self._recursors.addresses_of, hosts))
            resolved.update(zip(hosts, found, strict=True))
            reply = self._answer(question, udp, source, views, resolved)
            wanted = reply.wanted
            if not wanted:
                break
        return encode.encode(reply, question, self.settings, udp)


def _limit_to(size: int, question: Question) -> None:
    """Lower the size of answers that the client of a question can receive."""
    if question.edns is not None:
        question.edns.size = min(question.edns.size, size)
