"""Certificates and heartbeat keys are renewed well before their end, by the clock, while amphorae serve on."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509

from actium_shared.clock import SystemClock
from actium_shared.crypto import heartbeat_key
from integration.compute.bench import Amphora, Bench, until


class Shifted(SystemClock):
    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


@pytest.mark.parametrize(("age", "renewals"), [(timedelta(days=19), 0), (timedelta(days=21), 1), (timedelta(29), 1)])
async def test_an_amphora_that_booted_so_long_ago_is_renewed_or_not_yet(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch, age: timedelta, renewals: int
) -> None:
    # TLS goes by the real time: so compute lives in the past first, with a certificate of its own that lasts until now.
    monkeypatch.setattr("actium_compute.authority.CLIENT_LIFETIME", timedelta(days=60))
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.05)
    await bench.stop()
    bench.clock = Shifted(-age)
    await bench.start()
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    await bench.stop()
    bench.clock = SystemClock()
    await bench.start()
    await bench.order(amphora.configure(2))
    wanted = ["certificate-renewed"] * renewals + ["configured"]
    types = await until(lambda: bench.types(amphora), lambda types: sorted(types[2:]) == wanted)
    assert types.count("booted") == 1
    assert len(bench.machines.boots) == 1
    assert agent.key_version == 1 + renewals
    assert agent.files["heartbeat.key"] == heartbeat_key(bytes(32), amphora.id, 1 + renewals)
    ends_at = x509.load_pem_x509_certificate(agent.files["agent.pem"]).not_valid_after_utc
    left = ends_at - SystemClock().now()
    assert left > (timedelta(days=29) if renewals else timedelta(days=10))
