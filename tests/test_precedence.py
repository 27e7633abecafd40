"""Loops let searches go first, and are not stopped by them."""

from __future__ import annotations

import threading

from antiphon.precedence import SEARCHES, Precedence, giving_way


def test_a_loop_waits_while_something_goes_first() -> None:
    precedence = Precedence(patience_s=60)
    order: list[str] = []
    ready = threading.Event()

    def loop() -> None:
        ready.wait()
        precedence.give_way()
        order.append("loop")

    thread = threading.Thread(target=loop)
    thread.start()
    with precedence:
        ready.set()
        order.append("first")
    thread.join()
    assert order == ["first", "loop"]


def test_a_loop_goes_on_although_something_always_goes_first() -> None:
    precedence = Precedence(patience_s=0.001)
    done = threading.Event()

    def loop() -> None:
        for _ in range(100):
            precedence.give_way()
        done.set()

    with precedence:
        threading.Thread(target=loop).start()
        assert done.wait(30)


def test_what_goes_first_does_not_wait_for_itself() -> None:
    precedence = Precedence(patience_s=3600)
    with precedence, precedence:
        precedence.give_way()
    precedence.give_way()


def test_the_items_are_all_there() -> None:
    with SEARCHES:
        assert list(giving_way(range(5))) == [0, 1, 2, 3, 4]
    assert list(giving_way("ab")) == ["a", "b"]
