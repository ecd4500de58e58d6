"""Turns labels into evidence, and evidence into a wish; may be killed at any moment."""

from __future__ import annotations

from evertune.bundle import BundleStore
from evertune.clock import Clock, system_clock
from evertune.ledger import Ledger
from evertune.settings import MonitorSettings
from monitoring.bundle_facts import BundleFacts
from monitoring.evidence import Evidence
from monitoring.walk import Walk


class Evaluator:
    """Evaluates the labels of all models that have a champion.

    Run one a ledger. A second one does no harm: whoever saves last is refused and starts again from the ledger.

    Args:
        ledger: Labels, predictions, states, requests.
        store: Where references come from.
        settings: Tolerance, run length, and whether evidence asks for a re-tune.
        clock: Seconds since the epoch.

    Attributes:
        evaluated_at: When each model was evaluated last, seconds since the epoch.
    """

    def __init__(
        self, ledger: Ledger, store: BundleStore, settings: MonitorSettings, clock: Clock = system_clock
    ) -> None:
        self._ledger = ledger
        self._facts = BundleFacts(store)
        self._settings = settings
        self._clock = clock
        self._asked: set[str] = set()
        self.evaluated_at: dict[str, float] = {}

    def step(self) -> list[Evidence]:
        """Takes all labels that came since the last step.

        Returns:
            The evidence against each champion.

        Raises:
            JobError: Another evaluator was faster; the next step goes on from what it saved.
            BundleError: A bundle that predicted is not in the store, or is damaged.
        """
        return [self.step_model(model) for model in self._ledger.registry.models()]

    def step_model(self, model: str) -> Evidence:
        """As `step`, for one model; rows whose horizon has passed get their labels first."""
        self._ledger.horizons.settle(model)
        walk = Walk(self._ledger, self._facts, self._settings, model)
        state = walk.run()
        evidence = Evidence.of(model, walk.champion_digest, state.deployment, state.detector)
        if evidence.alarmed and self._settings.request_retune:
            self._ask(evidence)
        self.evaluated_at[model] = self._clock()
        return evidence

    def _ask(self, evidence: Evidence) -> None:
        """Asks once for each alarm: the ledger knows the fingerprint, also after a restart."""
        if evidence.fingerprint not in self._asked:
            self._ledger.requests.add(evidence.model, "drift", evidence.fingerprint, evidence.to_json())
            self._asked.add(evidence.fingerprint)
