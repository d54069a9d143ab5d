"""The formulas of the membership protocol. Times are seconds; `members` counts all in the list, dead ones included."""

from __future__ import annotations

import math

from pyconsul.agent.gossip.swim.settings import SwimSettings

PUSH_PULL_THRESHOLD = 32  # members, above which push/pulls become rarer


def min_suspicion_s(settings: SwimSettings, members: int) -> float:
    """Return how long a suspicion lasts at least: suspicion_mult × max(1, log10 members) × probe interval.

    Source: SWIM paper, section 4.2 (a time-out in multiples of the protocol period); memberlist cuts the scale to 3 decimals.
    """
    scale = int(max(1.0, math.log10(max(1, members))) * 1000) / 1000
    return settings.suspicion_mult * scale * settings.probe_interval_s


def expected_confirmations(settings: SwimSettings, members: int) -> int:
    """Return how many confirmations bring a suspicion to its minimum: suspicion_mult − 2, or 0 with too few members.

    Source: Lifeguard paper, "LHA-Suspicion" (K); memberlist derives it from the multiplier, less the suspect and the accuser.
    """
    wanted = settings.suspicion_mult - 2
    return 0 if members - 2 < wanted else wanted


def suspicion_s(confirmations: int, expected: int, minimum_s: float, maximum_s: float) -> float:
    """Return how long a suspicion lasts after c of k confirmations: max − (max − min) × ln(c + 1) / ln(k + 1).

    In whole milliseconds, never under the minimum. Source: Lifeguard paper, "LHA-Suspicion".
    """
    if expected < 1:
        return minimum_s
    fraction = math.log(confirmations + 1) / math.log(expected + 1)
    return max(minimum_s, math.floor(1000 * (maximum_s - fraction * (maximum_s - minimum_s))) / 1000)


def retransmit_limit(mult: int, members: int) -> int:
    """Return how often a broadcast is sent: mult × ceil(log10(members + 1)).

    Source: SWIM paper, section 4.1 (λ log n); memberlist takes the decimal logarithm.
    """
    return mult * math.ceil(math.log10(members + 1))


def push_pull_interval_s(base_s: float, members: int) -> float:
    """Return the time between push/pulls: base × (ceil(log2 members − 5) + 1) above 32 members.

    Source: memberlist; the traffic of a push/pull grows with the members, so that large pools do it less often.
    """
    if members <= PUSH_PULL_THRESHOLD:
        return base_s
    return base_s * (math.ceil(math.log2(members) - math.log2(PUSH_PULL_THRESHOLD)) + 1)


def probe_interval_s(settings: SwimSettings, score: int) -> float:
    """Return the time that a probe may take: probe interval × (health score + 1).

    Source: Lifeguard paper, "LHA-Probe": a member that is slow itself waits longer before it accuses others.
    """
    return settings.probe_interval_s * (score + 1)
