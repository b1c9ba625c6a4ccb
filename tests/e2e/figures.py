"""Figures of what Meta was told: what was lost and doubled, how long acknowledgements took, when all was well again."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Ledger, Meta
from tests.patience import PATIENCE


class Tally(NamedTuple):
    """The ledger held against the archive. Lost: acknowledged, and not kept or not understood."""

    acknowledged: int
    lost: int
    double: int

    def __str__(self) -> str:
        return f"{self.lost} of {self.acknowledged:,} lost, {self.double} twice"


def tally(house: House, ledger: Ledger, run: int) -> Tally:
    """Of the webhooks of ``run`` (see ``tests.e2e.meta.webhook``), one message in each, once all are understood."""
    mark = f"wamid.HBgL{run:08x}"
    assert eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)
    kept = house.rows(
        "SELECT sha256, sha256(body) FROM webhook_events WHERE position(%s::bytea IN body) > 0", mark.encode()
    )
    assert all(named == real for named, real in kept), "a body is not what its digest says"
    wamids = [wamid for (wamid,) in house.rows("SELECT wamid FROM messages WHERE wamid LIKE %s", f"{mark}%")]
    promised, there = set(ledger.digests()), {digest for digest, _ in kept}
    stored = house.value("SELECT count(*) FROM webhook_events WHERE sha256 = ANY(%s)", list(promised))
    lost = len(promised) - stored + len(there) - len(set(wamids))
    return Tally(len(promised), lost, len(kept) - len(there) + len(wamids) - len(set(wamids)))


def is_unnoticed(meta: Meta, count: int) -> bool:
    """Whether ``count`` webhooks were taken and none refused, but for a stall of a machine that others keep busy."""
    again = sum(times for status, times in meta.answers.items() if status != 200)
    least = count // 5 if PATIENCE > 1 else 0
    return meta.answers.get(200) == count and set(meta.answers) <= {200, 503} and again <= least


def percentile(seconds: Iterable[float], share: float) -> float:
    """The smallest of them that ``share`` of them do not exceed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def p99(meta: Meta) -> float:
    """The seconds that 99 of 100 acknowledgements did not exceed; 90 where a single stall would hit more than one."""
    return percentile(meta.seconds[200], 0.99 if PATIENCE == 1 else 0.9)


def acknowledged_in(meta: Meta) -> str:
    """How long a 200 took, in words."""
    taken = meta.seconds[200]
    middle, most = percentile(taken, 0.5) * 1000, percentile(taken, 0.99) * 1000
    return f"ack p50 {middle:.0f}, p99 {most:.0f}, at most {max(taken) * 1000:.0f} ms"


def refused_until(meta: Meta, moment: float) -> float:
    """How long after ``moment`` (monotonic) the last attempt ended that was no 200, in seconds."""
    return max(began + taken for began, taken, status in meta.times if status != 200) - moment


def well_again(meta: Meta, moments: Iterable[float]) -> float:
    """The longest wait, in seconds, from one of ``moments`` (monotonic) to the first 200 of a later attempt."""
    good = sorted((began + taken, began) for began, taken, status in meta.times if status == 200)
    return max(next(end for end, began in good if began >= moment) - moment for moment in moments)
