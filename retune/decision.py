"""From a wish to a job, or to a reason why not. Nobody but the ledger is believed."""

from __future__ import annotations

from typing import Literal

from evertune.errors import JobError
from evertune.ledger import Deployment, Ledger, RetuneJob, RetuneRequest
from evertune.settings import RetuneSettings
from retune.brakes import Brakes
from retune.evidence import DriftEvidence, read_evidence
from retune.waiting import settle_waiting

Reason = Literal["no_champion", "stale_evidence", "no_evidence", "active_job", "cooldown", "daily_budget"]
"""Why a request was suppressed: a closed set, so that metrics can count by it."""

WITHOUT_DRIFT = "without_drift"  # a key of the evidence of requests that `ask` makes
_MAY_ASK_WITHOUT_DRIFT = ("manual", "schedule", "http")
_ACCEPTED = "accepted"
_ACTIVE = ("pending", "running", "awaiting")
_DAY_SECONDS = 86_400.0
# An alarm that nobody has asked about for so long was lost with the process that should have asked.
_ORPHANED_SECONDS = 60.0


class Decider:
    """Decides every open request, and asks again where an alarm was put off.

    Args:
        ledger: Requests, evidence, jobs, champions.
        settings: Cooldown and budget.
        evaluator_asks: `monitor.request_retune`: an alarm that nobody asked about was lost with the evaluator, and is
            asked about in its place. False: only Alertmanager may ask, and an alarm without a request is its business.
    """

    def __init__(self, ledger: Ledger, settings: RetuneSettings, *, evaluator_asks: bool = True) -> None:
        self._ledger = ledger
        self._settings = settings
        self._evaluator_asks = evaluator_asks
        self._brakes = Brakes(ledger, settings)

    def step(self) -> list[RetuneRequest]:
        """One round over all models. What a pause or a maintenance window holds back stays open, and says so.

        Returns:
            The requests that were decided, the oldest first.
        """
        settle_waiting(self._ledger, self._brakes)
        for model in self._ledger.registry.models():
            self._ask_again(model)
        return [self._decide(request) for request in self._ledger.requests.open() if not self._is_held(request)]

    def _is_held(self, request: RetuneRequest) -> bool:
        hold = self._brakes.start(request.model)
        reason = "" if hold is None else hold.text
        if hold is not None and request.reason != reason:
            self._ledger.requests.hold(request.id, reason)
        return hold is not None

    def _decide(self, request: RetuneRequest) -> RetuneRequest:
        try:
            reason = self._objection(request)
            if reason is None:
                job = self._ledger.jobs.create(request.model, request.id)
                return self._ledger.requests.decide(request.id, "accepted", _ACCEPTED, job.id)
        except JobError:  # another process of ours made a job for this model since `_objection` looked
            reason = "active_job"
        try:
            return self._ledger.requests.decide(request.id, "suppressed", reason)
        except JobError:  # ... and it was for this very request
            return self._ledger.requests.get(request.id)

    def _objection(self, request: RetuneRequest) -> Reason | None:
        champion = self._ledger.registry.champion(request.model)
        if champion is None:
            return "no_champion"
        return self._doubt(request, champion) or self._obstacle(request.model)

    def _doubt(self, request: RetuneRequest, champion: Deployment) -> Reason | None:
        """What is wrong with the request itself."""
        if request.trigger in _MAY_ASK_WITHOUT_DRIFT and request.evidence.get(WITHOUT_DRIFT) is True:
            return None
        if request.evidence.get("digest") not in (None, champion.digest):
            return "stale_evidence"
        evidence = read_evidence(self._ledger, champion)
        return None if evidence is not None and evidence.alarmed else "no_evidence"

    def _obstacle(self, model: str) -> Reason | None:
        """What stands in the way of any job of this model, for now."""
        now = self._ledger.clock()
        jobs = self._ledger.jobs.list(model, self._settings.max_jobs_per_day + 1)
        if any(job.status in _ACTIVE for job in jobs):
            return "active_job"
        if jobs and now - _ended_at(jobs) < self._settings.cooldown_seconds:
            return "cooldown"
        today = [job for job in jobs if now - job.created_at < _DAY_SECONDS]
        return "daily_budget" if len(today) >= self._settings.max_jobs_per_day else None

    def _ask_again(self, model: str) -> None:
        """An alarm stays until it is answered, but who raised it asks only once.

        Asks in its place when a request was put off (cooldown, budget), when a job left the champion as it was, or
        when the asker died between alarm and request. The fingerprint makes two deciders ask once.
        """
        champion = self._ledger.registry.champion(model)
        if champion is None or self._obstacle(model) is not None:
            return
        evidence = read_evidence(self._ledger, champion)
        if evidence is None or not evidence.alarmed:
            return
        requests = self._ledger.requests.list(model, 1)
        if any(request.status == "open" for request in requests) or self._is_answered(champion):
            return
        asked = bool(requests) and requests[0].requested_at >= champion.decided_at
        if asked or self._is_orphaned(evidence):
            last = requests[0].id if requests else 0
            fingerprint = f"{champion.digest}:{evidence.alarm_at}:after:{last}"
            self._ledger.requests.add(model, "drift", fingerprint, {**evidence.to_json(), "after_request": last})

    def _is_answered(self, champion: Deployment) -> bool:
        """Where nothing is promoted by itself, a challenger that is recommended is the answer."""
        last = self._ledger.jobs.list(champion.model, 1)
        recommended = bool(last) and last[0].status == "recommended"
        return recommended and last[0].detail.get("champion_sequence") == champion.sequence

    def _is_orphaned(self, evidence: DriftEvidence) -> bool:
        arrived_at = evidence.alarm_arrived_at
        if not self._evaluator_asks or arrived_at is None:
            return False
        return self._ledger.clock() - arrived_at > _ORPHANED_SECONDS


def _ended_at(jobs: list[RetuneJob]) -> float:
    return max(job.updated_at for job in jobs)
