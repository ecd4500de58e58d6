"""Which bundle is champion: an append-only history, so that a rollback is one more row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from evertune.bundle.audit import DIGEST
from evertune.clock import Clock
from evertune.errors import RegistryError
from evertune.ledger.database import Database
from evertune.ledger.schema import deployments


@dataclass(frozen=True)
class Deployment:
    """One decision.

    Attributes:
        sequence: Order of decisions.
        model: Name.
        digest: Of the bundle that serves from now on.
        role: "champion".
        share_ratio: Of the traffic.
        restores: Sequence of the deployment that a rollback brings back; None for a promotion.
        reason: Of people or of a job, in words.
        evidence: JSON: the test that it passed.
        actor: Who decided.
        decided_at: Seconds since the epoch.
    """

    sequence: int
    model: str
    digest: str
    role: str
    share_ratio: float
    restores: int | None
    reason: str
    evidence: dict[str, Any]
    actor: str
    decided_at: float


class Registry:
    """Deployments by model."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def champion(self, model: str) -> Deployment | None:
        """The deployment that serves now; None where the model has none."""
        query = _of(model).order_by(deployments.c.sequence.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Deployment(*row)

    def models(self) -> list[str]:
        """Names of all models that have a champion, sorted."""
        with self._database.read() as connection:
            return list(connection.scalars(select(deployments.c.model).distinct().order_by(deployments.c.model)))

    def history(self, model: str) -> list[Deployment]:
        """All decisions, the oldest first."""
        with self._database.read() as connection:
            return _history(connection, model)

    def promote(
        self,
        model: str,
        digest: str,
        *,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        actor: str,
        replaces: int | None = None,
    ) -> Deployment:
        """Makes a bundle the champion. The champion promoted again stays as it is: a retried job changes nothing.

        Args:
            model: Name.
            digest: Of the bundle, all of it.
            reason: In words.
            evidence: JSON: the test that it passed.
            actor: Who decided.
            replaces: Sequence of the deployment that was compared with; None: whatever serves.

        Raises:
            RegistryError: The digest is not whole, or another deployment serves than the one compared with.
        """
        if not DIGEST.fullmatch(digest):
            raise RegistryError(f"{digest[:80]!r} is no bundle digest", fix="Give all 64 hex digits.")
        with self._database.write("deployments") as connection:
            history = _history(connection, model)
            _check_unchanged(history, replaces)
            if history and history[-1].digest == digest:
                return history[-1]
            return self._append(connection, model, digest, None, reason, evidence or {}, actor)

    def rollback(self, model: str, *, reason: str, actor: str, replaces: int | None = None) -> Deployment:
        """Brings back the champion before this one; once more goes one further back, never forth.

        Args:
            model: Name.
            reason: In words.
            actor: Who decided.
            replaces: Sequence of the deployment that shall be taken back; None: whatever serves.

        Raises:
            RegistryError: There is nothing to go back to, or another deployment serves than the one meant.
        """
        with self._database.write("deployments") as connection:
            history = _history(connection, model)
            _check_unchanged(history, replaces)
            standing = _standing(history)
            if len(standing) < 2:
                raise RegistryError(
                    f"{model} has no champion before the present one",
                    fix="Promote another bundle with `evertune promote`.",
                    model=model,
                )
            evidence = {"replaces": standing[-1].digest}
            target = standing[-2]
            return self._append(connection, model, target.digest, target.sequence, reason, evidence, actor)

    def _append(
        self,
        connection: Connection,
        model: str,
        digest: str,
        restores: int | None,
        reason: str,
        evidence: Mapping[str, Any],
        actor: str,
    ) -> Deployment:
        values = {"model": model, "digest": digest, "role": "champion", "share_ratio": 1.0, "restores": restores}
        values |= {"reason": reason, "evidence": dict(evidence), "actor": actor, "decided_at": self._clock()}
        return Deployment(*connection.execute(_ADD, values).one())


_ADD = insert(deployments).returning(*deployments.c)


def _of(model: str) -> Any:
    return select(deployments).where(deployments.c.model == model, deployments.c.role == "champion")


def _history(connection: Connection, model: str) -> list[Deployment]:
    return [Deployment(*row) for row in connection.execute(_of(model).order_by(deployments.c.sequence))]


def _check_unchanged(history: list[Deployment], replaces: int | None) -> None:
    """Within the transaction that decides: nobody can come between this look and the decision."""
    if replaces is not None and (not history or history[-1].sequence != replaces):
        now = f"deployment {history[-1].sequence}" if history else "nothing"
        raise RegistryError(
            f"deployment {replaces} does not serve any more, {now} does",
            fix="Compare with what serves now, then decide again.",
        )


def _standing(history: list[Deployment]) -> list[Deployment]:
    """Promotions that were not rolled back, the present champion last: a promotion pushes, a rollback pops."""
    stack: list[Deployment] = []
    for deployment in history:
        if deployment.restores is None:
            stack.append(deployment)
        while stack and deployment.restores is not None and stack[-1].sequence != deployment.restores:
            stack.pop()
    return stack
