"""Policies: what is looked out for, and the builder for an account's own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from consentry.accounts.models import Account
from consentry.connect.models import Connector
from consentry.core.errors import ConsentryError
from consentry.inventory.models import DecisionState, LastUsedState, Origin, RiskLevel
from consentry.policy import conditions, queries, services
from consentry.policy.models import Policy, PolicyState
from consentry.policy.predefined import BY_KEY
from consentry.risk.signals import SIGNALS
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row
from consentry.web.plugins import SERVICES

_FIRST: dict[str, Any] = {"field": "risk", "value": ["high", "critical"]}
_SEVERITIES = [(value, str(label)) for value, label in reversed(RiskLevel.choices) if value != "none"]
_FEW = 8  # choices that are shown as boxes; more are a list


def choices(account: Account) -> dict[str, dict[str, str]]:
    """The values to choose from, by field."""
    levels = {value: str(label) for value, label in reversed(RiskLevel.choices)}
    signals = {signal.key: signal.title for signal in SIGNALS}
    return {
        "risk": levels,
        "permission_level": levels,
        "connected_to": {name: name for name in SERVICES},
        "origin": {value: str(label) for value, label in Origin.choices},
        "use": {value: str(label) for value, label in LastUsedState.choices},
        "connector": {name: name for name in Connector.objects.filter(account=account).order_by("name").values_list("name", flat=True)},
        "decision": {value: str(label) for value, label in DecisionState.choices},
        "signal": signals,
        "grave_signal": signals,
        "change": conditions.CHANGES,
    }


@require_role("viewer")
def policies(request: ConsoleRequest) -> HttpResponse:
    """The list, each with its state."""
    context = {
        "rows": queries.policy_rows(request.user.account),
        "may_switch": request.user.may("administrator"),
        "states": PolicyState.choices,
    }
    return render(request, "policy/policies.html", context)


@require_POST
@require_role("administrator")
def switch(request: ConsoleRequest, key: str) -> HttpResponse:
    """Make a policy active, put it into audit mode, or switch it off; a predefined one's page also says how it alerts."""
    account, state, actor = request.user.account, request.POST.get("state", ""), request.user.email
    try:
        if "cooldown_hours" in request.POST:
            severity = request.POST.get("severity", "")
            policy = services.adjust(account, key, state=state, severity=severity, cooldown_hours=_hours(request.POST), actor=actor)
        else:
            policy = services.set_state(account, key, state, actor=actor)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
        return redirect("policies")
    told = services.definition(policy)
    if "cooldown_hours" not in request.POST:
        messages.success(request, f"“{told.title}” is {policy.get_state_display().lower()} now.")
        return redirect("policies")
    messages.success(request, f"“{told.title}” was saved. What is open keeps its severity; new alerts are {told.severity}.")
    return redirect("policy", key=key)


@require_role("viewer")
def policy(request: ConsoleRequest, key: str) -> HttpResponse:
    """One policy in words, with what it would have done; the account's own with its builder."""
    found = _find(request, key)
    told = services.definition(found)
    if found.key not in BY_KEY and request.user.may("administrator"):
        draft = {
            "title": found.title,
            "why": found.why,
            "severity": found.severity,
            "state": found.state,
            "cooldown_hours": found.cooldown_hours,
            "rule": [list(group) for group in told.rule],
        }
        return _builder(request, draft, found)
    context = {
        "policy": found,
        "told": told,
        "default": BY_KEY[found.key].severity if found.key in BY_KEY else "",
        "severities": _SEVERITIES,
        "states": PolicyState.choices,
        "lines": conditions.words(told.rule, choices(request.user.account)),
        "trial": _trial(request, told.rule),
        "may_copy": request.user.may("administrator"),
    }
    return render(request, "policy/policy.html", context)


@require_role("administrator")
def new(request: ConsoleRequest) -> HttpResponse:
    """The builder, empty or with a copy of another policy."""
    copied = request.GET.get("copy", "")
    draft: dict[str, Any] = {"title": "", "why": "", "severity": "high", "state": "audit", "cooldown_hours": 0, "rule": [[dict(_FIRST)]]}
    if copied:
        told = services.definition(_find(request, copied))
        draft |= {"title": f"{told.title} (copy)", "why": told.why, "severity": told.severity, "rule": [list(group) for group in told.rule]}
    return _builder(request, draft, None)


@require_POST
@require_role("administrator")
def draft(request: ConsoleRequest) -> HttpResponse:
    """The builder's conditions again, after one was added, changed or removed, with what they match now."""
    given = read(request.POST)
    rule = given["rule"]
    deed, _, place = request.POST.get("deed", "").partition(":")
    group, _, number = place.partition(".")
    if deed == "group" and len(rule) < conditions.MOST_GROUPS:
        rule.append([dict(_FIRST)])
    elif deed == "or" and group.isdigit() and int(group) < len(rule) and len(rule[int(group)]) < conditions.MOST_CONDITIONS:
        rule[int(group)].append(dict(_FIRST))
    elif deed == "drop" and group.isdigit() and number.isdigit() and int(group) < len(rule) and int(number) < len(rule[int(group)]):
        rule[int(group)].pop(int(number))
        given["rule"] = [one for one in rule if one]
    return render(request, "policy/conditions.html", _conditions(request, given["rule"]))


@require_POST
@require_role("administrator")
def save(request: ConsoleRequest, key: str = "") -> HttpResponse:
    """Keep or delete one of the account's own policies."""
    found = _find(request, key) if key else None
    if found and found.key in BY_KEY:
        raise Http404
    if found and request.POST.get("deed") == "delete":
        services.delete_policy(found, actor=request.user.email)
        messages.success(request, f"“{found.title}” was deleted with its alerts.")
        return redirect("policies")
    given = read(request.POST)
    try:
        services.save_policy(request.user.account, found, actor=request.user.email, **given)
    except ConsentryError as error:
        return _builder(request, given, found, f"{error.what} {error.remedy}")
    messages.success(request, f"“{given['title']}” was saved.")
    return redirect("policies")


def read(form: QueryDict) -> dict[str, Any]:
    """The builder's form as the fields of a policy; conditions without a value are kept as they are."""
    rule: list[list[dict[str, Any]]] = []
    for group in range(conditions.MOST_GROUPS):
        made = []
        for number in range(conditions.MOST_CONDITIONS):
            name = f"c{group}.{number}"
            field = form.get(f"{name}.field")
            if field in conditions.FIELDS:
                made.append({"field": field, "value": _value(form, name, field), **({"not": True} if form.get(f"{name}.not") else {})})
        if made:
            rule.append(made)
    return {
        "title": form.get("title", ""),
        "why": form.get("why", ""),
        "severity": form.get("severity", ""),
        "state": form.get("state", ""),
        "cooldown_hours": _hours(form),
        "rule": rule,
    }


def _hours(form: QueryDict) -> int:
    hours = form.get("cooldown_hours", "0")
    return int(hours) if hours.isdecimal() and len(hours) < 6 else 0


def _value(form: QueryDict, name: str, field: str) -> Any:
    if form.get(f"{name}.was") != field:
        return None  # another field was chosen: its value is to be entered
    kind = conditions.FIELDS[field].kind
    if kind == "choice":
        return form.getlist(f"{name}.value")
    return form.get(f"{name}.value", "yes") == "yes" if kind == "flag" else form.get(f"{name}.value", "")


def _builder(request: ConsoleRequest, given: dict[str, Any], found: Policy | None, problem: str = "") -> HttpResponse:
    context = {
        **_conditions(request, given["rule"]),
        "draft": given,
        "policy": found,
        "problem": problem,
        "severities": _SEVERITIES,
        "states": PolicyState.choices,
    }
    return render(request, "policy/builder.html", context, status=422 if problem else 200)


def _conditions(request: ConsoleRequest, rule: list[list[dict[str, Any]]]) -> dict[str, Any]:
    known = choices(request.user.account)
    fields = [(name, field.label) for name, field in conditions.FIELDS.items()]
    groups = []
    for place, group in enumerate(rule):
        lines = []
        for number, one in enumerate(group):
            field = conditions.FIELDS[one["field"]]
            value = one["value"]
            options = [(key, label, key in (value or ())) for key, label in known.get(one["field"], {}).items()]
            name = f"c{place}.{number}"
            lines.append(
                {"name": name, "place": f"{place}.{number}", "field": one["field"], "kind": field.kind, "label": field.label, "unit": field.unit,
                 "not": one.get("not", False), "options": options, "boxes": len(options) <= _FEW,
                 "value": f"{value:g}" if isinstance(value, float) else "" if value is None else value}
            )  # fmt: skip
        groups.append({"place": place, "lines": lines})
    try:
        trial = _trial(request, conditions.checked(rule))
    except ConsentryError as error:
        return {"groups": groups, "fields": fields, "trial": None, "unready": f"{error.what} {error.remedy}"}
    return {"groups": groups, "fields": fields, "trial": trial}


def _trial(request: ConsoleRequest, rule: conditions.Rule) -> dict[str, Any]:
    tried = queries.trial(request.user.account, rule)
    return {"tried": tried, "rows": [plugin_row(plugin) for plugin in tried.matching]}


def _find(request: ConsoleRequest, key: str) -> Policy:
    found = next((one for one in services.policies(request.user.account) if one.key == key), None)
    if found is None:
        raise Http404
    return found
