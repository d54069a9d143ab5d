"""A program: user events for an agent, one in a packet, until it is killed. Arguments: UDP port, events a second."""

from __future__ import annotations

import itertools
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyconsul.agent.events.user_event import PREFIX, packed
from pyconsul.agent.gossip.wire.messages import UserMessage, encode_message
from pyconsul.agent.gossip.wire.serf_messages import UserEvent, encode_serf_message
from pyconsul.agent.model.event import UserEvent as Fired

PAUSE_S = 0.001
SAME_TIME = 4  # events of one Lamport time


def main(port: int, rate: int) -> None:
    numbers = itertools.count()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        started, sent = time.monotonic(), 0
        while True:
            while sent < (time.monotonic() - started) * rate:
                number = next(numbers)
                content = Fired(f"00000000-0000-0000-0000-{number:012d}", "deploy", b"x" * 20, "", "", "", 1, 0)
                event = UserEvent(10 + number // SAME_TIME, f"{PREFIX}deploy", packed(content), False)
                sock.send(encode_message(UserMessage(encode_serf_message(event))))
                sent += 1
            time.sleep(PAUSE_S)


main(int(sys.argv[1]), int(sys.argv[2]))
