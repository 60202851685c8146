"""Jobs of the connect room; each calls one service."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from procrastinate.contrib.django import app

from consentry.connect import services
from consentry.connect.models import AuthorisationAttempt

_WAITS = (2, 4, 8, 15, 30)
RETURN_PATH = "/connect/microsoft/return"


@app.task(name="connect.verify_attempt")
def verify_attempt(attempt_id: str) -> None:
    """Prove a returned attempt, or look again a little later while consent spreads."""
    if not services.verify_attempt(UUID(attempt_id)):
        tries = AuthorisationAttempt.objects.get(pk=attempt_id).tries
        wait = _WAITS[min(tries, len(_WAITS)) - 1]
        verify_attempt.configure(schedule_in={"seconds": wait}).defer(attempt_id=attempt_id)


@app.periodic(cron="* * * * *")
@app.task(name="connect.expire_attempts", queueing_lock="connect.expire_attempts")
def expire_attempts(timestamp: int) -> None:
    """End attempts that nobody came back from."""
    services.expire_attempts(f"{settings.BASE_URL}{RETURN_PATH}")
