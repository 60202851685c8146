"""What would lower a plugin's level: it must really do so, be small, and stay cheap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.risk.test_score import NOW, anything, days_ago, held, permissions

from consentry.risk.catalogue import LEVELS
from consentry.risk.facts import Drift, Facts, Held
from consentry.risk.lower import MOST_SCORES, alone, lower
from consentry.risk.permission_words import SENTENCES
from consentry.risk.score import score, without
from consentry.risk.signals import SIGNALS
from consentry.risk.signals.rogue_app import ROGUE_APPS

many = st.builds(lambda facts, held: replace(facts, permissions=tuple(held)), anything, st.lists(permissions, min_size=20, max_size=60))


class Counting(dict[str, float]):
    """Factors that count how often a signal is asked for."""

    asked = 0

    def get(self, *given: Any) -> Any:
        self.asked += 1
        return super().get(*given)


def grade(level: str) -> int:
    return LEVELS.index(level)


def powerful(*values: str) -> tuple[Held, ...]:
    return tuple(held(value, "application") for value in values)


@given(st.one_of(anything, many))
def test_the_proposed_permissions_reach_a_lower_level_or_none_do(facts: Facts) -> None:
    present, answer = score(facts), lower(facts)
    assert set(answer.permissions) <= set(facts.permissions)
    if answer.permissions:
        assert answer.result == without(facts, *answer.permissions)
        assert grade(answer.result.level) < grade(present.level)
        assert answer.stays is None
    else:
        bare = without(facts, *facts.permissions)
        assert answer.result == bare
        assert grade(bare.level) == grade(present.level)
        assert answer.stays in bare.reasons or not bare.reasons


@given(anything)
def test_of_a_few_permissions_none_is_proposed_in_vain(facts: Facts) -> None:
    proposed = lower(facts).permissions
    for one in proposed:
        assert grade(without(facts, *(set(proposed) - {one})).level) == grade(score(facts).level)


@given(st.one_of(anything, many))
def test_each_permission_alone_weighs_what_it_weighs(facts: Facts) -> None:
    assert alone(facts) == {held: without(facts, held).score for held in facts.permissions}


@given(st.one_of(anything, many))
def test_taking_more_away_never_raises_the_score(facts: Facts) -> None:
    half = facts.permissions[: len(facts.permissions) // 2]
    assert without(facts, *facts.permissions).score <= without(facts, *half).score <= score(facts).score


def test_the_work_is_bounded_with_hundreds_of_permissions() -> None:
    everything = tuple(held(value, kind) for value in SENTENCES for kind in ("application", "delegated"))
    facts = Facts(now=NOW, name="Acme", origin="third_party", permissions=everything)
    factors: Mapping[str, float] = Counting(rarity=1.0)
    answer = lower(facts, factors)
    assert grade(answer.result.level) < grade(score(facts).level)
    assert 0 < len(answer.permissions) < len(everything)
    assert factors.asked <= MOST_SCORES * len(SIGNALS)  # type: ignore[attr-defined]


def test_one_permission_that_suffices_is_found_among_stronger_ones() -> None:
    mail = powerful("Mail.ReadBasic.All", "Mail.Read", "MailboxSettings.ReadWrite")
    facts = Facts(now=NOW, name="Acme", origin="third_party", permissions=mail)
    alone = [one for one in mail if grade(without(facts, one).level) < grade(score(facts).level)]
    assert [one.value for one in alone] == ["MailboxSettings.ReadWrite"]
    assert list(lower(facts).permissions) == alone


def test_several_that_stand_in_for_each_other_are_proposed_together() -> None:
    takers = powerful("RoleManagement.ReadWrite.Directory", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All")
    facts = Facts(now=NOW, name="Acme", origin="third_party", permissions=(*takers, held("User.Read")))
    assert all(without(facts, one).score == score(facts).score for one in takers)
    assert set(lower(facts).permissions) == set(takers)


def test_where_permissions_are_not_the_reason_the_reason_is_named() -> None:
    facts = Facts(now=NOW, name="Acme", origin="third_party", app_id=next(iter(ROGUE_APPS)), permissions=powerful("Mail.Read"))
    answer = lower(facts)
    assert not answer.permissions
    assert answer.stays is not None
    assert answer.stays.signal == "rogue_app"
    assert lower(replace(facts, permissions=())).stays == answer.stays
    assert lower(Facts(now=NOW, name="Acme", origin="own")).stays is None


def test_what_follows_from_a_permission_goes_with_it() -> None:
    mail, files = held("Mail.Read"), held("Files.Read.All")
    facts = Facts(
        now=NOW,
        name="Acme",
        origin="third_party",
        permissions=(mail, files),
        refused_today=("Files.Read.All", "Mail.Read"),
        drift=Drift(days_ago(9), (files, mail)),
    )
    said = {reason.signal: reason.evidence for reason in without(facts, files).reasons}
    assert "Mail.Read" in said["refused_today"] and "Files" not in said["refused_today"]
    assert "Mail.Read" in said["drift"] and "Files" not in said["drift"]
    assert not {"refused_today", "drift"} & {reason.signal for reason in without(facts, mail, files).reasons}
    moved = replace(facts, drift=Drift(days_ago(9), (mail,), publisher=("Acme", "Other")))
    assert "drift" in {reason.signal for reason in without(moved, mail, files).reasons}


def test_a_permission_of_the_other_kind_does_not_keep_drift_alive() -> None:
    approved, new = held("Mail.Read"), held("Mail.Read", "application")
    facts = Facts(now=NOW, name="Acme", origin="third_party", permissions=(approved, new), drift=Drift(days_ago(9), (new,)))
    assert "drift" not in {reason.signal for reason in without(facts, new).reasons}
