"""Clocks of an external engine: the methods of METHODOLOGY.md, without its statistics.

Samples are raw. bkbench makes medians and intervals of them as it does for its own targets.
"""

import gc
import statistics
import time

#: Launches in a block of the warm-up; two blocks with the same median mean that nothing compiles any more.
BLOCK = 5
#: Blocks agree when their medians differ by no more than this part.
AGREEMENT = 0.05
#: Seconds beyond what was asked for after which the warm-up ends in any case.
PATIENCE = 1.0
#: Most samples by a clock that is not the case's own, and the part of the time that it may use.
SECONDARY_SAMPLES, SECONDARY_BUDGET = 20, 0.25
#: Samples that are taken whatever the time.
LEAST_SAMPLES = 5
#: A batch of launches is to take about this long, and has at most so many launches.
BATCH_SECONDS, LARGEST_BATCH, LARGEST_BATCH_CPU = 0.01, 64, 4
#: A delay is longer than the issue of the largest batch by this factor and these seconds.
DELAY_FACTOR, DELAY_MARGIN = 1.5, 1e-4
#: Launches count as hidden when they were issued in this part of the delay.
HIDDEN_PART = 0.9
#: Rounds that may be taken again.
RETAKES = 50


class NoClock(Exception):
    """A clock gives nothing here, for this reason."""


def measure(engine, spec: dict, sets: int, phase) -> dict:
    """Warms `engine` up and times it as `spec` asks, over `sets` input sets in turn."""
    from bkpeer import Skip

    session = _Session(engine, sets)
    phase("warm_up")
    warm_up = session.warm_up(spec["warmup_runs"], spec["warmup_seconds"])
    phase("sample")
    own, others = _clocks(spec["clock"], engine.gpu)
    timings = []
    gc.collect()
    gc.disable()
    try:
        for clock in [own, *others]:
            limits = (spec["samples"], spec["max_seconds"])
            if clock != own:
                limits = (min(limits[0], SECONDARY_SAMPLES), limits[1] * SECONDARY_BUDGET)
            try:
                timings.append({"clock": clock, **getattr(session, clock)(*limits)})
            except NoClock as reason:
                if clock == own:
                    raise Skip(f"no time by the clock {clock}: {reason}") from reason
    finally:
        gc.enable()
    return {**warm_up, "cache": _cache(spec["cache"], engine.gpu, session), "timings": timings,
            "copy_bytes_per_second": engine.copy_rate()}


def _clocks(choice: str, gpu: bool):
    """The case's own clock and those beside it."""
    if choice == "auto":
        return ("launch_regression", ["wall", "device_timestamp"]) if gpu else ("wall", ["launch_regression"])
    return choice, [] if choice == "wall" else ["wall"]


def _cache(choice: str, gpu: bool, session) -> str:
    if choice == "hot":
        return "hot"
    if not gpu:
        return "uncontrolled"
    return "cold" if session.exceeds_cache() else "cache-resident"


class _Session:
    def __init__(self, engine, sets: int):
        self.engine, self.sets, self.next = engine, sets, 0
        self.launch_seconds = 0.0

    def exceeds_cache(self) -> bool:
        """Whether all input sets with their outputs outgrow the cache twice. An unknown cache: 64 MiB."""
        cache = self.engine.device().get("l2_bytes") or (64 << 20)
        return self.sets * self.engine.set_bytes >= 2 * cache

    def index(self) -> int:
        self.next = (self.next + 1) % self.sets
        return self.next

    def timed(self, launches: int):
        """Seconds to issue `launches` on an idle device, and until it is idle again."""
        self.engine.synchronize()
        start = time.perf_counter()
        for _ in range(launches):
            self.engine.launch(self.index())
        issued = time.perf_counter()
        self.engine.synchronize()
        return issued - start, time.perf_counter() - start

    def warm_up(self, runs: int, seconds: float) -> dict:
        start, times, patience_ends = time.perf_counter(), [], None
        while True:
            times.append(self.timed(1)[1])
            elapsed = time.perf_counter() - start
            if len(times) < runs or elapsed < seconds:
                continue
            patience_ends = patience_ends or elapsed + PATIENCE
            settled = _settled(times)
            if settled or elapsed >= patience_ends:
                self.launch_seconds = statistics.median(times[-BLOCK:])
                return {"warmup_runs": len(times), "warmup_seconds": elapsed, "settled": settled}

    def collect(self, samples: int, seconds: float, take) -> list:
        start, taken = time.perf_counter(), []
        while len(taken) < samples:
            if len(taken) >= min(LEAST_SAMPLES, samples) and time.perf_counter() - start >= seconds:
                break
            taken.append(take())
        return taken

    def wall(self, samples: int, seconds: float) -> dict:
        return _timing(self.collect(samples, seconds, lambda: self.timed(1)[1]))

    def device_timestamp(self, samples: int, seconds: float) -> dict:
        if self.engine.device_seconds(self.index()) is None:
            raise NoClock("the engine has no clock of its device")
        taken = self.collect(samples, seconds, lambda: self.engine.device_seconds(self.index()))
        if min(taken) <= 0.0:
            raise NoClock("a launch took no time by it")
        return _timing(taken)

    def launch_regression(self, samples: int, seconds: float) -> dict:
        return _Regression(self).run(samples, seconds)


class _Regression:
    """Slope of the time of `k` launches over `k`, behind a delay on the device where it has one."""

    def __init__(self, session: _Session):
        self.session = session
        self.batches = _batches(session.engine.gpu, session.launch_seconds)
        largest = self.batches[-1]
        issue = max(session.timed(largest)[0] for _ in range(3))
        self.issue_seconds = issue / largest
        self.delay = self.measured_delay(DELAY_FACTOR * issue + DELAY_MARGIN) if session.engine.gpu else None
        self.intercepts, self.rounds, self.retaken, self.exposed = [], 0, 0, False

    def run(self, samples: int, seconds: float) -> dict:
        slopes = self.session.collect(samples, seconds, self.slope)
        overhead = statistics.median(self.intercepts)
        if self.delay:
            overhead -= statistics.median(slopes)
        return _timing(
            slopes,
            issue_hidden=self.delay is not None and not self.exposed,
            issue_seconds=self.issue_seconds,
            overhead_seconds=overhead if overhead >= 0.0 else None,
        )

    def slope(self) -> float:
        while True:
            slope, exposed = self.round()
            again = self.retaken < RETAKES
            if slope > 0.0 and not exposed:
                return slope
            if slope > 0.0 and not again:
                self.exposed = True
                return slope
            if not again:
                raise NoClock("the slope of launch times was 0 or less: a launch is too short")
            if slope > 0.0:
                self.delay = self.measured_delay(DELAY_FACTOR * self.delay[1])
            self.retaken += 1

    def round(self):
        """Batches upwards in one round and downwards in the next, against a drift of the device."""
        batches = self.batches if self.rounds % 2 == 0 else self.batches[::-1]
        self.rounds += 1
        points, exposed = [], False
        for launches in batches:
            if self.delay is None:
                total = self.session.timed(launches)[1]
            else:
                issue, total = self.delayed(self.delay[0], launches)
                exposed |= issue >= HIDDEN_PART * self.delay[1]
            points.append((launches, total))
        slope, intercept = _least_squares(points)
        self.intercepts.append(intercept if self.delay is None else self.session.timed(1)[1])
        return slope, exposed

    def delayed(self, delay: float, launches: int):
        """As `timed`, behind a delay, which is in the total and not in the issue."""
        session = self.session
        session.engine.synchronize()
        start = time.perf_counter()
        session.engine.queue_delay(delay)
        queued = time.perf_counter()
        for _ in range(launches):
            session.engine.launch(session.index())
        issued = time.perf_counter()
        session.engine.synchronize()
        return issued - queued, time.perf_counter() - start

    def measured_delay(self, seconds: float):
        """(what to ask for, how long it takes) of a delay of `seconds` at least; None without delays."""
        if not self.session.engine.queue_delay(seconds):
            return None
        asked = seconds
        for _ in range(4):
            took = min(self.delayed(asked, 0)[1] for _ in range(3))
            if took >= seconds:
                return asked, took
            asked *= min(1.2 * seconds / max(took, 1e-9), 10.0)
        return None


def _timing(samples, issue_hidden=False, issue_seconds=None, overhead_seconds=None) -> dict:
    return {"samples": samples, "issue_hidden": issue_hidden, "issue_seconds": issue_seconds,
            "overhead_seconds": overhead_seconds}


def _settled(times: list) -> bool:
    if len(times) < 2 * BLOCK:
        return False
    earlier, later = statistics.median(times[-2 * BLOCK:-BLOCK]), statistics.median(times[-BLOCK:])
    return abs(earlier - later) <= AGREEMENT * min(earlier, later)


def _batches(gpu: bool, launch_seconds: float) -> list:
    most = LARGEST_BATCH if gpu else LARGEST_BATCH_CPU
    largest = 2 if launch_seconds > 0.02 else min(max(int(BATCH_SECONDS / launch_seconds), 4), most)
    return [1 << power for power in range(largest.bit_length())]


def _least_squares(points: list):
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return slope, mean_y - slope * mean_x
