"""The demo's small multilingual corpus: passages that answer, and questions that merely look like the queries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, and a short name for tables."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its language, and the name of the passage that answers it."""

    language: str
    text: str
    answer: str


PASSAGES: tuple[Passage, ...] = (
    Passage(
        "protein (en)",
        "As a general guideline, the average requirement of protein for women ages 19 to 70 is 46 grams per day. "
        "You need more while expecting or training for a marathon.",
    ),
    Passage(
        "Berlin (de)",
        "Berlin ist mit rund 3,7 Millionen Einwohnern die bevölkerungsreichste Stadt Deutschlands und Sitz von "
        "Parlament und Regierung.",
    ),
    Passage(
        "baguette (fr)",
        "Pour une croûte dorée, enfournez la baguette à 240 °C avec un bol d'eau, puis laissez-la refroidir sur "
        "une grille.",
    ),
    Passage("green tea (zh)", "绿茶应使用约80℃的热水冲泡，浸泡一到两分钟即可，水温过高会使茶味发苦。"),  # noqa: RUF001
    Passage(
        "bicycle (en)",
        "To fix a flat bicycle tyre, take the wheel off, pull out the inner tube, patch the hole and pump it up again.",
    ),
    Passage("calories? (en)", "How many calories should I eat?"),
    Passage("capital? (en)", "What is the capital of Germany?"),
    Passage("bread? (fr)", "Comment faire du pain à la maison ?"),
    Passage("tea water? (zh)", "泡绿茶用什么水最好？"),  # noqa: RUF001
    Passage("buy? (en)", "Where can I buy a bicycle?"),
    Passage("tyres? (en)", "Which bicycle tyres do you recommend?"),
    Passage("visa? (en)", "How long does a visa take?"),
)

QUERIES: tuple[Query, ...] = (
    Query("English", "how much protein should a female eat", "protein (en)"),
    Query("English", "how hot should water for green tea be", "green tea (zh)"),
    Query("German", "Wie repariere ich einen Platten am Fahrrad?", "bicycle (en)"),
    Query("French", "De combien de protéines une femme a-t-elle besoin ?", "protein (en)"),
    Query("Chinese", "绿茶要用多少度的水冲泡？", "green tea (zh)"),  # noqa: RUF001
)
