"""Opens a pool: reads its files, binds its sockets, and starts it."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from pyconsul.agent.common.reasons import reason
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.keyring_file import read_keyring, write_keyring
from pyconsul.agent.gossip.driver.pool import Pool
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.snapshot_file import SnapshotFile, read_snapshot
from pyconsul.agent.gossip.driver.sockets import open_sockets
from pyconsul.agent.gossip.pool import GossipPool
from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.serf.snapshot import Contents, Recorder, rejoin_addresses
from pyconsul.agent.gossip.settings import PoolError, PoolSettings
from pyconsul.agent.gossip.swim.member import MAX_META_SIZE, Member, MemberState
from pyconsul.agent.gossip.wire.messages import Address
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags

#: PMin, PMax, PCur, DMin, DMax, DCur: the versions that Consul's agents speak.
VERSIONS = bytes((1, 5, 2, 2, 5, 4))


async def open_pool(settings: PoolSettings) -> Pool:
    """Open a pool in the running loop; it takes part at once, and joins again who is in its snapshot. Raises PoolError."""
    log = PoolLog(settings.pool, time.monotonic)
    frames = _frames(settings, log)
    contents, size = Contents(), 0
    if settings.snapshot_file is not None:
        settings.snapshot_file.parent.mkdir(parents=True, exist_ok=True)
        contents, size = read_snapshot(settings.snapshot_file, rejoin_after_leave=settings.rejoin_after_leave)
    rng = random.Random()
    known = rejoin_addresses(contents, settings.name, rng)
    udp, tcp = open_sockets(settings.bind, settings.port)
    executor = ThreadPoolExecutor(1, thread_name_prefix=f"gossip-{settings.pool}")
    try:
        settings = replace(settings, port=udp.getsockname()[1])
        core = _core(settings, frames, rng, contents)
        snapshot = None
        if settings.snapshot_file is not None:
            recorder = Recorder(contents, size_bytes=size, rejoin_after_leave=settings.rejoin_after_leave)
            clock = core.serf.intents.clock
            snapshot = SnapshotFile(settings.snapshot_file, recorder, lambda: clock.time - 1, executor, log)
        pool = Pool(settings, core, udp, frames, snapshot, executor, log)
        await pool.start(tcp, known)
    except BaseException:
        udp.close()
        tcp.close()
        executor.shutdown(wait=False)
        raise
    return pool


def _core(settings: PoolSettings, frames: Frames, rng: random.Random, contents: Contents) -> GossipPool:
    """Return the pool without IO. Raises PoolError."""
    meta = encode_tags(settings.tags)
    if len(meta) > MAX_META_SIZE:
        raise PoolError(f"the tags of this agent need {len(meta)} bytes, more than {MAX_META_SIZE}")
    try:
        address = Address(ip_bytes(settings.advertise), settings.advertise_port or settings.port)
    except ValueError:
        raise PoolError(f"the advertised address {settings.advertise!r} is no IP address") from None
    now = time.monotonic()
    keyring = frames.present.keyring
    return GossipPool(
        settings.swim,
        replace(settings.serf, gossip_interval_s=settings.swim.gossip_interval_s),
        Member(settings.name, address, meta, VERSIONS, 1, MemberState.ALIVE, now),
        rng,
        now,
        admission=settings.admission,
        packet_overhead=frames.present.packet_overhead,
        keyring=keyring.keys if keyring else (),
        snapshot=contents,
        wall_clock=time.time,
    )


def _frames(settings: PoolSettings, log: PoolLog) -> Frames:
    """Return the frames with the keys of the file, which takes precedence, or of the settings. Raises PoolError."""
    keys, path = settings.keys, settings.keyring_file
    stored = read_keyring(path) if path is not None else None
    if stored is not None:
        if keys and keys[0] not in stored:
            text = (
                f"the keyring file takes precedence over the configured gossip key, which it does not hold: path={path}"
            )
            log.line("keyring", text)
        keys = stored
    elif keys and path is not None:
        try:
            write_keyring(path, keys)
        except OSError as error:
            raise PoolError(f"cannot write keyring file {path}: {reason(error)}") from error
    try:
        return Frames(keys, verify_incoming=settings.verify_incoming, verify_outgoing=settings.verify_outgoing)
    except ValueError:
        raise PoolError("Invalid key: key size must be 16, 24 or 32 bytes") from None
