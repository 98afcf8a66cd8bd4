"""The differences between what two sides answered, one by one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from differential.playing import Answer
from differential.story import Json

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One. `what` is `status`, or the path of a header or of a part of the body; both values are JSON, or `absent`."""

    where: str
    what: str
    upstream: str
    ours: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: upstream {self.upstream:.300}, we {self.ours:.300}"


def differences(upstream: Mapping[str, Answer], ours: Mapping[str, Answer], *, story: str) -> Iterator[Difference]:
    """Compare one story's answers. Where the status codes differ the bodies cannot be equal, and are left alone."""
    for name, theirs in upstream.items():
        where, own = f"{story} / {name}", ours[name]
        if theirs.status != own.status:
            yield Difference(where=where, what="status", upstream=str(theirs.status), ours=str(own.status))
            continue
        yield from _within(where, "headers", dict(theirs.headers), dict(own.headers))
        yield from _within(where, "body", theirs.body, own.body)


def _within(where: str, what: str, upstream: Json, ours: Json) -> Iterator[Difference]:
    match upstream, ours:
        case dict(), dict():
            for name in sorted({*upstream, *ours}):
                if name in upstream and name in ours:
                    yield from _within(where, f"{what}.{name}", upstream[name], ours[name])
                else:
                    values = [
                        json.dumps(side[name], sort_keys=True) if name in side else ABSENT for side in (upstream, ours)
                    ]
                    yield Difference(where=where, what=f"{what}.{name}", upstream=values[0], ours=values[1])
        case list(), list() if len(upstream) == len(ours):
            for index, (theirs, own) in enumerate(zip(upstream, ours, strict=True)):
                yield from _within(where, f"{what}.{index}", theirs, own)
        case _ if type(upstream) is not type(ours) or upstream != ours:
            values = [json.dumps(side, sort_keys=True) for side in (upstream, ours)]
            yield Difference(where=where, what=what, upstream=values[0], ours=values[1])
