"""IDs that open something are made by `uuid.uuid4` or `secrets`, which read the system's randomness."""

from __future__ import annotations

import re
from pathlib import Path

import pyconsul.agent

#: What makes IDs from a generator whose next value can be worked out, or from the clock and the machine's address.
PREDICTABLE = re.compile(r"getrandbits|randbytes|uuid1\(|uuid3\(|uuid5\(|UUID\(int=|rng\.(choice|randint|randrange)")


def test_no_id_is_made_from_a_predictable_generator() -> None:
    folder = Path(pyconsul.agent.__path__[0])
    found = [
        f"{path.relative_to(folder)}:{number}: {line.strip()}"
        for path in sorted(folder.rglob("*.py"))
        if path.relative_to(folder).parts[0] != "gossip"  # shuffles, jitter, numbers that pair requests with answers
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PREDICTABLE.search(line)
    ]
    assert not found, "use httpapi.ids.new_id or secrets:\n" + "\n".join(found)
