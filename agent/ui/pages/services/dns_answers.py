"""The DNS names of a service, with the answers that they have now: made by the code of the DNS server, without a socket."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from pyconsul.agent.dnsd.answer import AnswerContext, answer, subject_of
from pyconsul.agent.dnsd.prepared import query_executor
from pyconsul.agent.dnsd.settings import Settings, settings_of
from pyconsul.agent.dnsd.views import WholeState
from pyconsul.agent.dnsd.wire.layout import AAAA, NXDOMAIN, SRV, A, Record, encode_name, kind_of
from pyconsul.agent.dnsd.wire.question import Malformed, Question, parse
from pyconsul.agent.dnsd.wire.reply import Reply
from pyconsul.agent.ui.visit import Visit

MAX_SHOWN = 8  # records of an answer
MAX_TAGS = 5
DATA_AT = 10  # type, class, TTL and length stand before the data of a record
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


@dataclass(frozen=True, slots=True)
class Answered:
    """A name and its answer.  more: the number of records that are not shown.   note: instead of records, why there are none."""

    name: str
    kind: str
    records: tuple[str, ...]
    more: int = 0
    note: str = ""


def names_of(service: str, tags: Iterable[str], domain: str) -> Iterator[tuple[str, int]]:
    """Yield the names that lead to a service, with the type of question."""
    domain = domain.strip(".")
    yield f"{service}.service.{domain}", A
    yield f"{service}.service.{domain}", SRV
    for tag in sorted(tags)[:MAX_TAGS]:
        if is_label(tag):
            yield f"{tag}.{service}.service.{domain}", A


def is_label(text: str) -> bool:
    """Return whether a text can stand in a DNS name as it is."""
    return 0 < len(text) <= 63 and set(text) <= PLAIN


def answers(visit: Visit, names: Iterable[tuple[str, int]]) -> list[Answered]:
    """Return the answers to questions, as far as the caller may see them."""
    settings = settings_of(visit.config)
    execute = query_executor(visit.view, lambda: visit.caller, visit.agent, visit.datacenter, random.Random())
    views = WholeState(visit.view, execute)

    def ask(question: Question) -> Reply:
        known = AnswerContext(views, settings, _in_order, visit.now, visit.caller, source=visit.request.remote or "")
        return answer(question, subject_of(question, settings), known)

    return [_answered(name, rdtype, ask, settings) for name, rdtype in names]


def _in_order() -> float:
    return 0.5  # a stable order: pages that show the same need no update


def _answered(name: str, rdtype: int, ask: Callable[[Question], Reply], settings: Settings) -> Answered:
    kind = {A: "A", SRV: "SRV"}[rdtype]
    question = _question(name, rdtype)
    if question is None:
        return Answered(name, kind, (), note="not a name that DNS can ask for")
    reply = ask(question)
    if rdtype == A and not reply.answer and reply.rcode != NXDOMAIN and (other := _question(name, AAAA)) is not None:
        reply, kind = ask(other), "AAAA"
    shown = sorted(dict.fromkeys(text for record in reply.answer if (text := _text(record))))
    if not shown:
        only = " that passes all checks" if settings.only_passing else " without a critical check"
        return Answered(
            name, kind, (), note=f"NXDOMAIN: no instance{only}" if reply.rcode == NXDOMAIN else "no address"
        )
    return Answered(name, kind, tuple(shown[:MAX_SHOWN]), max(0, len(shown) - MAX_SHOWN))


def _question(name: str, rdtype: int) -> Question | None:
    try:
        wire = encode_name(name)
        return parse(b"\0\0\1\0\0\1" + b"\0" * 6 + wire + rdtype.to_bytes(2) + b"\0\1")
    except (ValueError, Malformed):
        return None


def _text(record: Record) -> str:
    """Return the data of a record as `dig +short` shows it; "" for types that need no line."""
    kind, data = kind_of(record), record[1][DATA_AT:]
    if kind in (A, AAAA):
        return str(ip_address(data))
    if kind == SRV:
        priority, weight, port = (int.from_bytes(data[at : at + 2]) for at in (0, 2, 4))
        return f"{priority} {weight} {port} {_name(data[6:])}"
    return _name(record[2]) if record[2] else ""


def _name(wire: bytes) -> str:
    parts, at = [], 0
    while at < len(wire) and (length := wire[at]):
        parts.append(wire[at + 1 : at + 1 + length].decode("utf-8", "replace"))
        at += 1 + length
    return ".".join(parts) + "."
