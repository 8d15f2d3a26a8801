"""A process that asks a server many things and keeps the answers in a store: STORE URL REQUESTS CONCURRENCY."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, ".")

from judges.clients.cache import Cached
from store.layout import Store
from tests.judges.servers import client_of, request

folder, url, requests, concurrency = sys.argv[1:]
store = Store.open(folder) if Path(folder, "store.json").exists() else Store.create(folder)
cached = Cached(client_of(url, concurrency=int(concurrency)), store)
answers = asyncio.run(cached.answer([request(number, dialogue=f"d{number % 9}") for number in range(int(requests))]))
sys.exit(0 if all(answer.text for answer in answers) else 1)
