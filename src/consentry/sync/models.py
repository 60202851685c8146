"""Runs and their collections as data."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    FETCHING = "fetching", "Reading from Microsoft"
    MERGING = "merging", "Merging"
    SCORING = "scoring", "Scoring"
    DONE = "done", "Done"
    INCOMPLETE = "incomplete", "Done, with gaps"
    FAILED = "failed", "Failed"


class SyncRun(models.Model):
    """One run over one connector."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, related_name="runs")
    mode = models.CharField(max_length=10, default="full")  # full | delta
    trigger = models.CharField(max_length=20, default="schedule")  # schedule | person | command | connect
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.QUEUED)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)  # a run whose heart stopped is taken up by the next worker
    requests = models.IntegerField(default=0)
    throttled = models.IntegerField(default=0)
    retried = models.IntegerField(default=0)
    resource_units = models.IntegerField(default=0)
    counts = models.JSONField(default=dict)
    changes = models.JSONField(default=dict)
    incomplete = models.JSONField(default=list)  # [{collection, reason, code}]
    repeat_at = models.DateTimeField(null=True)  # of a full run with gaps that only another full one mends: from when that is due
    error_code = models.CharField(max_length=80, blank=True)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    peak_memory_mb = models.FloatField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["connector", "-id"], name="run_connector")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["connector"],
                condition=models.Q(state__in=["queued", "fetching", "merging", "scoring"]),
                name="one_live_run_per_connector",
            )
        ]


class CollectionProgress(models.Model):
    """How far one collection of one run has come; also the cursor from which a killed worker resumes."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="collections", db_index=False)
    name = models.CharField(max_length=60)
    state = models.CharField(max_length=20, default="waiting")  # waiting | reading | complete | incomplete
    rows = models.BigIntegerField(default=0)
    pages = models.IntegerField(default=0)
    cursor = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    code = models.CharField(max_length=80, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "name"], name="one_progress_per_collection")
        ]


class DeltaLink(models.Model):
    """Where the next delta run of a collection starts."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE)
    collection = models.CharField(max_length=60)
    link = models.TextField()
    taken_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "collection"], name="one_delta_link_per_collection")
        ]


class TouchedPlugin(models.Model):
    """A plugin whose facts a run changed: what the steps after the merge look at."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="touched", db_constraint=False, db_index=False)
    plugin = models.ForeignKey("inventory.Plugin", on_delete=models.CASCADE, db_constraint=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["run", "plugin"], name="touched_once")]
