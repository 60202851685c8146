"""Apps that attackers have used against other organisations, by app id."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

# Source: huntresslabs/rogueapps, October 2024. Ids are facts; the words are ours.
ROGUE_APPS = {
    "e9a7fea1-1cc0-4cd9-a31b-9137ca5deedd": "eM Client",
    "ff8d92dc-3d82-41d6-bcbd-b9174d163620": "PerfectData",
    "a245e8c0-b53c-4b67-9b45-751d1dff8e6b": "Supermailer",
    "b15665d9-eda6-4092-8539-0eec376afd59": "rclone",
    "a43e5392-f48b-46a4-a0f1-098b5eeb4757": "CloudSponge",
}


def observe(facts: Facts) -> Observation | None:
    app_id = facts.app_id.lower()
    if name := ROGUE_APPS.get(app_id):
        return Observation(9.0, f"The app id is that of {name}, which attackers use to copy or send mail and files.")
    if app_id and app_id in facts.own_rogues:
        return Observation(9.0, "The app id is on your own list of rogue apps.")
    return None


SIGNAL = Signal(
    key="rogue_app",
    title="A known rogue app",
    why="Its app id is one that attackers have used against other organisations. The id can't be borrowed, unlike a name.",
    strength="strong",
    remedy="Find out who uses it and why, remove it, and look at what those mailboxes did since.",
    observe=observe,
    links=("https://huntresslabs.github.io/rogueapps/",),
    technique="T1528 Steal Application Access Token",
)
