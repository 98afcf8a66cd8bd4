"""In order, bounded, the newest kept."""

from actium_health import outbox
from actium_health.outbox import Outbox


def filled(*datagrams: tuple[bytes, bool], most_bytes: int = 1_000) -> Outbox:
    box = Outbox(most_bytes=most_bytes)
    for at, (datagram, urgent) in enumerate(datagrams):
        box.add(datagram, urgent=urgent, now=float(at))
    return box


def batches(box: Outbox) -> list[list[bytes]]:
    return [[waiting.datagram for waiting in batch] for batch in iter(box.take, [])]


def test_edges_and_beats_travel_apart_and_in_order() -> None:
    box = filled((b"1", False), (b"2", False), (b"3", True), (b"4", False))
    assert batches(box) == [[b"1", b"2"], [b"3"], [b"4"]]


def test_the_oldest_go_when_there_is_no_room() -> None:
    box = filled((b"a" * 600, False), (b"b" * 600, False), (b"c" * 300, False))
    assert [len(batch) for batch in batches(box)] == [2]
    assert box.dropped == 1


def test_what_nobody_would_believe_any_more_is_dropped() -> None:
    box = filled((b"1", False), (b"2", False), (b"3", False))
    box.drop_older(1.5)
    assert batches(box) == [[b"3"]]
    assert box.dropped == 2


def test_a_batch_that_could_not_be_sent_is_first_again() -> None:
    box = filled((b"1", False), (b"2", True))
    box.put_back(box.take())
    assert batches(box) == [[b"1"], [b"2"]]


def test_room_is_counted_right_after_taking_and_putting_back() -> None:
    box = filled((b"a" * 900, False))
    box.put_back(box.take())
    box.add(b"b" * 200, urgent=False, now=2.0)
    assert batches(box) == [[b"b" * 200]]
    box.add(b"c" * 1_000, urgent=False, now=3.0)
    assert len(box) == 1


def test_a_batch_fits_a_message() -> None:
    size = outbox.BATCH_MOST_BYTES // 4 + 1
    box = filled(*[(b"x" * size, False)] * 8, most_bytes=outbox.MOST_BYTES)
    assert [len(batch) for batch in batches(box)] == [3, 3, 2]
