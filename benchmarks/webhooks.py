"""Webhooks from one worker process to a receiver on this machine, beside plain httpx as somebody would write it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from multiprocessing import Queue, get_context
from pathlib import Path
from statistics import median
from typing import Any

from figures import Figures, apart, main

DAY = date(2026, 1, 5)
BODY = json.dumps({"account": {"id": "a-1", "name": "An account of a usual length"}, "alert": {"name": "inactivity"},
                   "text": "Nobody has signed in for two weeks. " * 12})


def measure(figures: Figures, folder: Path, webhooks: int = 5000, runs: int = 3) -> bool:
    """From rows that wait in the outbox to receipts in it; the receiver counts the keys that arrive."""
    ours, kept, anew = [], [], []
    with receiver() as (address, heard):
        for turn in range(runs):
            ours.append(webhooks / apart(send_ours, folder / f"state-{turn}.db", address, webhooks))
            kept.append(webhooks / apart(send_plain, address, webhooks, True))
            anew.append(webhooks // 10 / apart(send_plain, address, webhooks // 10, False))
        arrived = heard.get()
    figures.add(f"{webhooks:,} webhooks claimed, signed, sent and recorded: each second (median of {runs})",
                f"{median(ours):,.0f}", "at least 500", median(ours) >= 500)
    figures.add("httpx, one client, one after the other: each second", f"{median(kept):,.0f}")
    figures.add("httpx.post, a client and a connection for each: each second", f"{median(anew):,.0f}")
    figures.ratio("ours to httpx with one client", median(ours) / median(kept))
    wrong = [] if arrived == runs * webhooks else ["not every webhook arrived exactly once"]
    return figures.same("keys that arrived and keys that were sent, each once", wrong)


# Each way runs in a process of its own and says how many seconds the sending took.


def send_ours(path: Path, address: str, webhooks: int) -> float:
    import os
    import time

    from forestall.adapters.channels.webhook import WebhookChannel, WebhookSettings
    from forestall.engine.intervene.worker import deliver
    from forestall.engine.model.delivery import Delivery, DeliveryStatus, Message, MessageKind, OutboxRow
    from forestall.engine.model.ports import Secret
    from forestall.engine.model.state import Decisions
    from forestall.engine.store import Store

    os.environ["SIGNING"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    settings = WebhookSettings(Secret("SIGNING"), hosts=("127.0.0.1",), allow_private=True)
    channel = WebhookChannel("hooks", settings, path)
    rows = []
    for number in range(webhooks):
        key = f"{path.stem}-{number:08d}"
        delivery = Delivery(key, f"a{number}", "tell_crm", "inactivity", DAY, DAY, "call", MessageKind.WEBHOOK, "hooks",
                            address, "tell_crm", False, "at_risk")
        rows.append(OutboxRow(delivery, Message(key, delivery.kind, address, "", "", body=BODY), DeliveryStatus.QUEUED))
    with Store.open(path) as store:
        decided = Decisions(DAY, "d", "s", deliveries=tuple(row.delivery for row in rows))
        store.commit(decided, rows, datetime.now(UTC))
        start = time.perf_counter()
        report = deliver(store, {"hooks": channel}, lambda: datetime.now(UTC))
        took = time.perf_counter() - start
        assert (report.sent, report.waiting) == (webhooks, 0), report
    return took


def send_plain(address: str, webhooks: int, client: bool) -> float:
    import time

    import httpx

    start = time.perf_counter()
    if client:
        with httpx.Client() as one:
            for _ in range(webhooks):
                one.post(address, content=BODY, headers={"content-type": "application/json"}).raise_for_status()
    else:
        for _ in range(webhooks):
            httpx.post(address, content=BODY, headers={"content-type": "application/json"}).raise_for_status()
    return time.perf_counter() - start


@contextmanager
def receiver() -> Iterator[tuple[str, Any]]:
    """A receiver in a process of its own: its address, and a queue that in the end says how many keys it has heard."""
    spawn = get_context("spawn")
    said, heard, ended = spawn.Queue(), spawn.Queue(), spawn.Event()
    process = spawn.Process(target=listen, args=(said, heard, ended), daemon=True)
    process.start()

    class Heard:
        def get(self) -> int:
            ended.set()
            return int(heard.get(timeout=30))

    yield f"http://127.0.0.1:{said.get(timeout=30)}/in", Heard()
    process.join(30)


def listen(said: Queue[int], heard: Queue[int], ended: Any) -> None:
    asyncio.run(serve(said, heard, ended))


async def serve(said: Queue[int], heard: Queue[int], ended: Any) -> None:
    keys: dict[bytes, int] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                if b"webhook-id: " in head:
                    key = head.split(b"webhook-id: ")[1].split(b"\r\n")[0]
                    keys[key] = keys.get(key, 0) + 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    said.put(server.sockets[0].getsockname()[1])
    while not ended.is_set():
        await asyncio.sleep(0.1)
    heard.put(sum(1 for count in keys.values() if count == 1))


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
