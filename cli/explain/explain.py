"""The whole story, in order."""

from __future__ import annotations

from typing import Any

from cli.explain.cause import cause
from cli.explain.making import candidates, data, trials
from cli.explain.part import Part
from cli.explain.story import Story
from cli.explain.verdict import decision, recovery, test_of

_PARTS = (cause, data, trials, candidates, test_of, decision, recovery)


def explain_job(story: Story) -> list[Part]:
    """Evidence, data, trials, candidates, test, decision, recovery."""
    return [part(story) for part in _PARTS]


def to_json(story: Story) -> dict[str, Any]:
    """The story for programs."""
    job = story.job
    head = {"job": job.id, "model": job.model, "status": job.status, "created_at": job.created_at}
    return {**head, "updated_at": job.updated_at, **{part.name: part.to_json() for part in explain_job(story)}}
