"""Invented names of people, firms and apps."""

from __future__ import annotations

import random

FIRST = [
    "Ada",
    "Amir",
    "Anna",
    "Bao",
    "Bela",
    "Carla",
    "Chidi",
    "Clara",
    "Dara",
    "Diego",
    "Elena",
    "Emre",
    "Farah",
    "Felix",
    "Grace",
    "Hana",
    "Hugo",
    "Ines",
    "Ivan",
    "Jana",
    "Jonas",
    "Kaia",
    "Kofi",
    "Lars",
    "Lea",
    "Lin",
    "Luca",
    "Maja",
    "Marco",
    "Mina",
    "Nadia",
    "Nils",
    "Noor",
    "Omar",
    "Petra",
    "Quinn",
    "Rania",
    "Rosa",
    "Sami",
    "Sofia",
    "Tariq",
    "Tove",
    "Uma",
    "Vera",
    "Viktor",
    "Wanda",
    "Xiu",
    "Yara",
    "Yusuf",
    "Zoe",
]
LAST = [
    "Abara",
    "Adeyemi",
    "Almeida",
    "Andersen",
    "Bauer",
    "Bianchi",
    "Costa",
    "Dahl",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Hansen",
    "Ito",
    "Jensen",
    "Kaya",
    "Keller",
    "Kovac",
    "Kruger",
    "Lambert",
    "Larsen",
    "Lindqvist",
    "Mbeki",
    "Meyer",
    "Moreau",
    "Nakamura",
    "Novak",
    "Okafor",
    "Olsen",
    "Petrov",
    "Popescu",
    "Rahman",
    "Ricci",
    "Rossi",
    "Sato",
    "Schmid",
    "Silva",
    "Singh",
    "Sorensen",
    "Takala",
    "Tanaka",
    "Toth",
    "Vega",
    "Vogel",
    "Weber",
    "Wolf",
    "Yilmaz",
    "Zeman",
    "Zhou",
]
DEPARTMENTS = ("Finance", "Sales", "Engineering", "People", "Legal", "Marketing", "Operations", "Customer care", "Research", "Facilities")
TITLES = ("Analyst", "Manager", "Specialist", "Engineer", "Director", "Assistant", "Coordinator", "Lead")

_HEADS = [
    "Amber",
    "Birch",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Glade",
    "Harbour",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Meadow",
    "Nimbus",
    "Onyx",
    "Prism",
    "Quarry",
    "Ripple",
    "Summit",
    "Thistle",
    "Umber",
    "Vesper",
    "Willow",
    "Xylo",
    "Yonder",
    "Zephyr",
]
_TAILS = [
    "board",
    "flow",
    "sign",
    "sync",
    "mail",
    "note",
    "desk",
    "chart",
    "plan",
    "pad",
    "link",
    "track",
    "forms",
    "vault",
    "meet",
    "cast",
    "scan",
    "mind",
    "time",
    "tasks",
    "bridge",
    "hub",
]
_FIRMS = ("Labs", "Software", "GmbH", "Ltd", "Inc.", "AB", "Works", "Systems")
_INTERNAL = [
    "Payroll",
    "Intranet",
    "Warehouse",
    "Onboarding",
    "Invoice",
    "Badge",
    "Fleet",
    "Archive",
    "Reporting",
    "Helpdesk",
    "Catalogue",
    "Roster",
]
_INTERNAL_KINDS = ["service", "portal", "importer", "sync", "bot", "gateway"]


def person(rng: random.Random) -> tuple[str, str]:
    """A first and a last name."""
    return rng.choice(FIRST), rng.choice(LAST)


def app(rng: random.Random) -> tuple[str, str, str]:
    """An app's name, its publisher and the publisher's domain."""
    head = rng.choice(_HEADS)
    tail = rng.choice(_TAILS)
    name = f"{head}{tail}" if rng.random() < 0.7 else f"{head} {tail.capitalize()} for Teams"
    return name, f"{head} {rng.choice(_FIRMS)}", f"{head.lower()}{tail}.example"


def internal_app(rng: random.Random) -> str:
    """The name of a line-of-business app."""
    return f"{rng.choice(_INTERNAL)} {rng.choice(_INTERNAL_KINDS)}"
