from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from antiphon.encode.tokenize import Tokens
from antiphon.encode.worker import Worker
from antiphon.errors import InferenceError, QueueFull, TooLarge, Unavailable

PATIENCE_S = 20.0


class Engine:
    """A run_batch that records its batches; a text's row is its first id. ``gate`` holds it while cleared.

    It checks the promise made to engines: runs on different lanes may overlap, a run on all threads is alone.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.places: list[int | None] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.poison: int | None = None
        self.most_at_once = 0
        self._running: set[int | None] = set()
        self._lock = threading.Lock()

    def __call__(self, tokens: Sequence[Tokens], lane: int | None) -> list[int]:
        rows = [int(one.ids[0]) for one in tokens]
        with self._lock:
            assert lane not in self._running, "two runs in one place"
            assert not self._running if lane is None else None not in self._running, "a run on all threads is not alone"
            self._running.add(lane)
            self.most_at_once = max(self.most_at_once, len(self._running))
            self.batches.append(rows)
            self.places.append(lane)
        self.entered.release()
        try:
            assert self.gate.wait(PATIENCE_S)
            if self.poison in rows:
                raise RuntimeError("poisoned")
            return rows
        finally:
            with self._lock:
                self._running.remove(lane)


def texts(first_ids: Iterable[int], length: int = 10) -> list[Tokens]:
    return [Tokens(np.full(length, i, np.int64), np.zeros(length, np.int64), 0) for i in first_ids]


def worker(
    engine: Engine, *, lanes: int = 1, budget: int = 40, max_queue_texts: int = 10_000, gather_s: float = 0.002
) -> Worker[int]:
    return Worker(
        engine,
        lanes=lanes,
        cost=lambda length: length,
        budget=budget,
        max_queue_texts=max_queue_texts,
        gather_s=gather_s,
    )


def send(to: Worker[int], tokens: list[Tokens]) -> list[int]:
    return to.run(len(tokens), lambda: tokens)[0]


def held(engine: Engine, to: Worker[int], pool: ThreadPoolExecutor) -> None:
    """Start a request (first id 0) that occupies the engine until the gate is set."""
    engine.gate.clear()
    pool.submit(send, to, texts([0]))
    assert engine.entered.acquire(timeout=PATIENCE_S)


def queued(to: Worker[int], count: int) -> None:
    """Return once ``count`` texts are in the worker's hands."""
    deadline = threading.Event()
    while to.stats().queued_texts < count:
        assert not deadline.wait(0.001)


def test_rows_come_back_in_the_callers_order() -> None:
    tokens = [Tokens(np.full(n, n, np.int64), np.zeros(n, np.int64), 0) for n in (3, 30, 5, 12, 30, 1)]
    assert send(worker(Engine()), tokens) == [3, 30, 5, 12, 30, 1]


def test_a_lone_request_runs_in_its_callers_thread() -> None:
    seen: list[threading.Thread] = []

    def run_batch(tokens: Sequence[Tokens], lane: int | None) -> list[int]:
        assert lane is None
        seen.append(threading.current_thread())
        return [0] * len(tokens)

    Worker(run_batch, lanes=4, cost=int, budget=10, max_queue_texts=9).run(1, lambda: texts([1]))
    assert seen == [threading.current_thread()]


def test_callers_who_were_answered_together_are_answered_together_again() -> None:
    engine = Engine()
    to = worker(engine, lanes=2, gather_s=1)
    rounds = 30

    def client(first: int) -> list[list[int]]:
        return [send(to, texts([first + turn])) for turn in range(rounds)]

    with ThreadPoolExecutor(4) as pool:
        held(engine, to, pool)
        clients = [pool.submit(client, 100 * number) for number in (1, 2, 3)]
        queued(to, 4)
        engine.gate.set()
        for number, one in enumerate(clients, 1):
            assert one.result(PATIENCE_S) == [[100 * number + turn] for turn in range(rounds)]
    assert len(engine.batches) < 1.5 * rounds, "they were not waited for: some ran while others came"


def test_companions_who_do_not_come_are_not_waited_for_long() -> None:
    engine = Engine()
    to = worker(engine, lanes=2)
    with ThreadPoolExecutor(3) as pool:
        held(engine, to, pool)
        waiting = [pool.submit(send, to, texts([i])) for i in (1, 2)]
        queued(to, 3)
        engine.gate.set()
        assert [one.result(PATIENCE_S) for one in waiting] == [[1], [2]]
    assert sorted(map(sorted, engine.batches)) == [[0], [1, 2]]


def test_large_requests_do_not_wait_for_companions() -> None:
    engine = Engine()
    to = worker(engine, gather_s=600)
    with ThreadPoolExecutor(3) as pool:
        held(engine, to, pool)
        bulk = pool.submit(send, to, texts(range(1, 9)))
        queued(to, 9)
        engine.gate.set()
        assert bulk.result(PATIENCE_S) == list(range(1, 9))


def test_a_bulk_fills_all_lanes() -> None:
    engine = Engine()
    to = worker(engine, lanes=3, budget=128)
    engine.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        bulk = pool.submit(send, to, texts(range(30), length=64))
        for _ in range(3):
            assert engine.entered.acquire(timeout=PATIENCE_S)
        engine.gate.set()
        assert bulk.result(PATIENCE_S) == list(range(30))
    assert engine.most_at_once == 3
    assert None not in engine.places
    assert len(engine.batches) == 15


class Lanes:
    """A ``widen`` that is held until ``ready`` is set."""

    def __init__(self, *, succeeds: bool) -> None:
        self.asked = threading.Semaphore(0)
        self.ready = threading.Event()
        self._succeeds = succeeds

    def __call__(self) -> bool:
        self.asked.release()
        assert self.ready.wait(PATIENCE_S)
        return self._succeeds


@pytest.mark.parametrize("succeeds", [True, False])
def test_lanes_are_made_when_they_are_first_wanted(succeeds: bool) -> None:
    engine, lanes = Engine(), Lanes(succeeds=succeeds)
    to: Worker[int] = Worker(
        engine, lanes=3, cost=lambda length: length, budget=40, max_queue_texts=10_000, widen=lanes
    )
    for number in range(5):
        send(to, texts([number]))
    assert not lanes.asked.acquire(blocking=False)  # one text after the other needs none
    assert send(to, texts(range(30))) == list(range(30))
    assert lanes.asked.acquire(timeout=PATIENCE_S)
    assert send(to, texts(range(30))) == list(range(30))  # while they are made
    assert engine.most_at_once == 1
    with ThreadPoolExecutor(1) as pool:
        held(engine, to, pool)  # a run on all threads, beside which no lane may run
        lanes.ready.set()
        bulk = pool.submit(send, to, texts(range(60)))
        queued(to, 1)
        engine.gate.set()
        assert bulk.result(PATIENCE_S) == list(range(60))
    engine.gate.clear()
    engine.entered = threading.Semaphore(0)
    with ThreadPoolExecutor(1) as pool:
        bulk = pool.submit(send, to, texts(range(60)))
        for _ in range(3 if succeeds else 1):
            assert engine.entered.acquire(timeout=PATIENCE_S)
        engine.gate.set()
        assert bulk.result(PATIENCE_S) == list(range(60))
    to.close()
    assert engine.most_at_once == (3 if succeeds else 1)
    assert not lanes.asked.acquire(blocking=False)


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_many_callers_of_all_sizes_get_their_own_rows(lanes: int) -> None:
    engine = Engine()
    to = worker(engine, lanes=lanes, budget=256)

    def call(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(20):
            ids = random.integers(0, 10**6, random.choice([1, 1, 1, 2, 7, 60]))
            tokens = [one for i in ids for one in texts([int(i)], length=int(random.integers(1, 200)))]
            assert send(to, tokens) == ids.tolist()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert to.stats().queued_texts == 0
    to.close()


def test_waiting_single_queries_share_a_batch() -> None:
    engine = Engine()
    to = worker(engine)
    with ThreadPoolExecutor(8) as pool:
        held(engine, to, pool)
        answers = [pool.submit(send, to, texts([i])) for i in range(1, 5)]
        queued(to, 5)
        engine.gate.set()
        assert [one.result(PATIENCE_S) for one in answers] == [[1], [2], [3], [4]]
    assert [sorted(batch) for batch in engine.batches] == [[0], [1, 2, 3, 4]]


def test_a_query_overtakes_a_bulk_of_a_thousand_and_starves_nobody() -> None:
    engine = Engine()
    to = worker(engine)
    with ThreadPoolExecutor(12) as pool:
        held(engine, to, pool)
        bulk = pool.submit(send, to, texts(range(1000, 2000), length=5))
        queued(to, 1001)
        queries = [pool.submit(send, to, texts([i], length=5)) for i in range(1, 9)]
        queued(to, 1009)
        engine.gate.set()
        assert [one.result(PATIENCE_S) for one in queries] == [[i] for i in range(1, 9)]
        assert bulk.result(PATIENCE_S) == list(range(1000, 2000))
    places = [i for i, batch in enumerate(engine.batches) if any(0 < first < 9 for first in batch)]
    assert max(places) <= 2 + 8  # the bulk's first slice, then queries and slices in turn
    assert len(engine.batches) <= 1 + 500 + len(places)  # in pairs, for the queries' sake


def test_a_stream_of_queries_does_not_starve_a_bulk() -> None:
    engine = Engine()
    to = worker(engine)
    stop = threading.Event()

    def stream() -> int:
        sent = 0
        while not stop.is_set():
            send(to, texts([1], length=40))  # fills a batch alone
            sent += 1
        return sent

    with ThreadPoolExecutor(4) as pool:
        streams = [pool.submit(stream) for _ in range(3)]
        assert send(to, texts(range(100, 130), length=40)) == list(range(100, 130))
        stop.set()
        assert sum(one.result(PATIENCE_S) for one in streams) > 0
    served = [batch[0] >= 100 for batch in engine.batches]
    bulk = [i for i, one in enumerate(served) if one]
    assert all(later - earlier <= 2 for earlier, later in pairwise(bulk))


def test_a_full_queue_refuses_before_any_work() -> None:
    engine = Engine()
    to = worker(engine, max_queue_texts=3)
    with ThreadPoolExecutor(4) as pool:
        held(engine, to, pool)
        waiting = pool.submit(send, to, texts([1, 2]))
        queued(to, 3)
        with pytest.raises(QueueFull, match="3 texts are waiting and 1 more do not fit into the queue of 3"):
            to.run(1, lambda: pytest.fail("tokenized a refused text"))
        engine.gate.set()
        assert waiting.result(PATIENCE_S) == [1, 2]
    assert to.stats().rejected_requests == 1
    with pytest.raises(TooLarge, match="9 texts in one request are over the limit of 3"):
        send(to, texts(range(9)))


def test_a_failing_text_fails_its_own_request_only() -> None:
    engine = Engine()
    to = worker(engine)
    with ThreadPoolExecutor(4) as pool:
        held(engine, to, pool)
        engine.poison = 2
        answers = [pool.submit(send, to, texts([i])) for i in (1, 2, 3)]
        queued(to, 4)
        engine.gate.set()
        assert answers[0].result(PATIENCE_S) == [1]
        with pytest.raises(InferenceError, match="The engine failed: poisoned"):
            answers[1].result(PATIENCE_S)
        assert answers[2].result(PATIENCE_S) == [3]
    assert send(to, texts([4])) == [4]
    assert to.stats().queued_texts == 0


def test_an_interrupt_in_one_caller_does_not_strand_the_others() -> None:
    engine = Engine()

    def run_batch(tokens: Sequence[Tokens], lane: int | None) -> list[int]:
        rows = engine(tokens, lane)
        if 0 in rows:
            raise KeyboardInterrupt
        return rows

    to: Worker[int] = Worker(run_batch, lanes=2, cost=int, budget=40, max_queue_texts=99)
    with ThreadPoolExecutor(4) as pool:
        engine.gate.clear()
        first = pool.submit(send, to, texts([0]))
        assert engine.entered.acquire(timeout=PATIENCE_S)
        second = pool.submit(send, to, texts([5]))
        queued(to, 2)
        engine.gate.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(PATIENCE_S)
        assert second.result(PATIENCE_S) == [5]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_caller_interrupted_while_it_waits_is_forgotten() -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    engine = Engine()
    to = worker(engine)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ThreadPoolExecutor(4) as pool:
            held(engine, to, pool)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(Interrupted):
                send(to, texts([1]))
            waiting = pool.submit(send, to, texts([2]))
            queued(to, 2)
            engine.gate.set()
            assert waiting.result(PATIENCE_S) == [2]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert engine.batches == [[0], [2]]


def test_a_tokenizer_error_leaves_nothing_queued() -> None:
    to = worker(Engine())

    def broken() -> list[Tokens]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        to.run(4, broken)
    assert to.stats().queued_texts == 0


def test_close_waits_for_what_is_queued_and_refuses_what_comes() -> None:
    engine = Engine()
    to = worker(engine)
    with ThreadPoolExecutor(4) as pool:
        held(engine, to, pool)
        waiting = pool.submit(send, to, texts([1]))
        queued(to, 2)
        closing = pool.submit(to.close)
        engine.gate.set()
        closing.result(PATIENCE_S)
        assert waiting.result(PATIENCE_S) == [1]
    with pytest.raises(Unavailable):
        send(to, texts([2]))
    to.close()


def test_no_texts_is_no_work() -> None:
    engine = Engine()
    assert send(worker(engine), []) == []
    assert engine.batches == []


def test_counters() -> None:
    to = worker(Engine())
    to.run(2, lambda: [Tokens(np.ones(10, np.int64), np.zeros(10, np.int64), lost) for lost in (0, 7)])
    stats = to.stats()
    assert (stats.texts, stats.tokens, stats.truncated_texts, stats.truncated_tokens, stats.batches) == (2, 20, 1, 7, 1)


def test_an_engine_that_answers_too_little_fails_its_caller_and_nobody_hangs() -> None:
    to: Worker[int] = Worker(lambda tokens, _: [0] * (len(tokens) - 1), lanes=1, cost=int, budget=40, max_queue_texts=9)
    with pytest.raises(InferenceError, match="answered 3 texts with 2 vectors"):
        send(to, texts(range(3)))
    to.close()


def test_after_a_small_request_a_bulk_runs_in_small_parts() -> None:
    engine = Engine()
    subject = worker(engine)
    send(subject, texts(range(8)))
    assert [len(batch) for batch in engine.batches] == [4, 4]
    send(subject, texts([8]))
    send(subject, texts(range(9, 17)))
    assert [len(batch) for batch in engine.batches[3:]] == [1] * 8
