"""Pages with viewers: one rendering for each change, for all viewers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.state import kv
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.ui.live import live_page
from pyconsul.agent.ui.live.live_page import LivePages
from pyconsul.agent.ui.live.regions import Region, Rendering
from pyconsul.agent.ui.live.stream import EventStream, Viewed

ADDRESS, TOKEN = b"/ui/dc1/services", "secret"


class Source:
    """A page whose text is set; counts how often it is rendered."""

    def __init__(self) -> None:
        self.text, self.rendered, self.template = "one", 0, "list.html"

    async def render(self) -> Rendering:
        """Render the page."""
        self.rendered += 1
        regions = {"list": Region(self.text, {}, self.text)}
        return Rendering(b"", "Title", self.template, regions, f"{self.template} {self.text}", topics=("services",))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(live_page, "PAUSE_S", 0.0)
    return Store()


@pytest.fixture
def pages(store: Store) -> LivePages:
    return LivePages(store.watches, store)


async def test_a_change_is_rendered_once_for_all_viewers(store: Store, pages: LivePages) -> None:
    source, woken = Source(), []
    viewers: list[Callable[[], None]] = [lambda number=number: woken.append(number) for number in range(200)]  # type: ignore[misc]
    for viewer in viewers:
        page = await pages.join(ADDRESS, TOKEN, source.render, viewer)
    assert source.rendered == 1
    source.text = "two"
    store.watches.fire(("services",))
    await eventually_async(lambda: len(woken) == 200)
    assert source.rendered == 2
    assert page.current.regions["list"].html == "two"
    for viewer in viewers:
        pages.leave(ADDRESS, TOKEN, viewer)
    assert pages.find(ADDRESS, TOKEN) is None
    assert len(store.watches) == 0


async def test_a_page_that_looks_the_same_wakes_nobody(store: Store, pages: LivePages) -> None:
    source, woken = Source(), []
    await pages.join(ADDRESS, TOKEN, source.render, lambda: woken.append(1))
    store.watches.fire(("services",))
    await eventually_async(lambda: source.rendered == 2)
    await eventually_async(lambda: pages.find(ADDRESS, TOKEN) is not None)
    assert woken == []


async def test_callers_do_not_share_pages(pages: LivePages) -> None:
    one, other = Source(), Source()
    await pages.join(ADDRESS, "one", one.render, lambda: None)
    await pages.join(ADDRESS, "other", other.render, lambda: None)
    assert (one.rendered, other.rendered) == (1, 1)
    assert pages.find(ADDRESS, "third") is None


async def test_a_failing_page_goes_on_to_be_followed(store: Store, pages: LivePages) -> None:
    source, woken, fails = Source(), [], [False]

    async def render() -> Rendering:
        if fails[0]:
            fails[0] = False
            raise RuntimeError("no")
        return await source.render()

    await pages.join(ADDRESS, TOKEN, render, lambda: woken.append(1))
    fails[0] = True
    store.watches.fire(("services",))
    await eventually_async(lambda: not fails[0])
    source.text = "two"

    def woken_again() -> bool:
        store.watches.fire(("services",))
        return bool(woken)

    await eventually_async(woken_again)


async def test_an_old_rendering_is_not_shown_while_a_new_one_is_made_or_after_it_has_failed(
    store: Store, pages: LivePages
) -> None:
    source, going_on, fails = Source(), asyncio.Event(), [False]
    going_on.set()

    async def render() -> Rendering:
        rendering = await source.render()
        await going_on.wait()
        if fails[0]:
            raise RuntimeError("no")
        return rendering

    await pages.join(ADDRESS, TOKEN, render, lambda: None)
    assert pages.find(ADDRESS, TOKEN) is not None
    going_on.clear()
    fails[0] = True
    store.watches.fire(("services",))
    assert pages.find(ADDRESS, TOKEN) is None
    await eventually_async(lambda: source.rendered == 2)
    assert pages.find(ADDRESS, TOKEN) is None
    going_on.set()
    for _ in range(10):
        await one_turn()
    assert pages.find(ADDRESS, TOKEN) is None
    fails[0] = False
    store.watches.fire(("services",))
    await eventually_async(lambda: pages.find(ADDRESS, TOKEN) is not None)


async def test_a_change_while_a_page_is_rendered_is_shown(store: Store, pages: LivePages) -> None:
    source, going_on = Source(), asyncio.Event()
    going_on.set()

    async def render() -> Rendering:
        rendering = await source.render()  # sees the state before the change
        await going_on.wait()
        return rendering

    page = await pages.join(ADDRESS, TOKEN, render, lambda: None)
    going_on.clear()
    store.watches.fire(("services",))
    await eventually_async(lambda: source.rendered == 2)
    source.text = "two"
    store.watches.fire(("services",))
    going_on.set()
    await eventually_async(lambda: page.current.regions["list"].html == "two")


async def test_a_change_while_a_page_is_rendered_first_is_shown(store: Store, pages: LivePages) -> None:
    source, changes = Source(), [True]

    async def render() -> Rendering:
        rendering = await source.render()
        if changes.pop() if changes else False:
            source.text = "two"
            txn = WriteTxn(store)
            txn.begin(store.index + 1, 0.0)
            kv.put(txn, "a", b"", 0)
            store.install(txn.finish())
        return rendering

    page = await pages.join(ADDRESS, TOKEN, render, lambda: None)
    await eventually_async(lambda: page.current.regions["list"].html == "two")


async def test_a_new_stream_says_that_an_opened_page_is_an_error_now(store: Store, pages: LivePages) -> None:
    source = Source()
    source.template = "error.html"
    parts = EventStream(pages, store.watches, TOKEN, [Viewed(ADDRESS, "list.html one", source.render)], "v1").parts()
    assert (await anext(parts)).startswith(b"event: hello\n")
    assert (await anext(parts)).startswith(b"event: gone\n")
    await parts.aclose()  # type: ignore[attr-defined]


async def test_a_stream_sends_news_and_ends_with_the_agent(store: Store, pages: LivePages) -> None:
    source = Source()
    viewed = Viewed(ADDRESS, "list.html one", source.render)
    parts = EventStream(pages, store.watches, TOKEN, [viewed], "v1").parts()
    assert await anext(parts) == b'event: hello\ndata: {"assets":"v1"}\n\n'
    following = asyncio.ensure_future(anext(parts))
    await eventually_async(lambda: pages.find(ADDRESS, TOKEN) is not None)
    source.text = "two"
    store.watches.fire(("services",))
    event = (await following).decode()
    assert event.startswith("event: page\n")
    assert '"regions":{"list":{"html":"two"}}' in event
    source.template = "error.html"
    following = asyncio.ensure_future(anext(parts))
    store.watches.fire(("services",))
    assert (await following).startswith(b"event: reload\n")
    store.watches.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(parts), 5)
    assert pages.find(ADDRESS, TOKEN) is None
