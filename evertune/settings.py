"""`evertune.toml`, overridden by `EVERTUNE_*` environment variables.

A project is any folder that holds an `evertune.toml`. Relative paths in it are relative to that folder. Nested keys
are reached from the environment with a double underscore: `EVERTUNE_MONITOR__TOLERANCE=0.05`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as PydanticSettingsError

from evertune.errors import SettingsError
from evertune.timetable import MaintenanceSettings, ScheduleSettings, names_are_unique

FILE_NAME = "evertune.toml"
_SECRET_WORDS = ("tok", "url", "pass", "secret", "key")  # of keys; `serve.require_keys` is no secret, and no loss
# With our prefix, but no settings: project folder, data sets, the client's key, the demo's mark, and what tests and
# READMEs set.
_OTHER_VARIABLES = {
    *("EVERTUNE_PROJECT", "EVERTUNE_DATA", "EVERTUNE_API_KEY", "EVERTUNE_DEMO_PROCESS"),
    *("EVERTUNE_TEST_POSTGRES", "EVERTUNE_KEY"),
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProjectSettings(_Section):
    """`[project]`: which task, and where its state lies."""

    task: str = "task.py:Task"  # file relative to this one, and the class in it
    state: Path = Path(".evertune")  # ledger, bundles, studies, spool and keys, unless set elsewhere
    runs: Path = Path("runs")  # reports and pictures for people


class StoreSettings(_Section):
    """`[store]`: the database and the bundle store. Empty means inside the state folder."""

    ledger_url: str = ""  # SQLAlchemy URL
    bundle_url: str = ""  # fsspec URL or folder


class BundleSettings(_Section):
    """`[bundles]`: who signs bundles, and whose bundles are served, compared and promoted."""

    signing_key: str = ""  # file of an Ed25519 private key, which signs what is sealed here; empty: nothing is signed
    require_signature_of: tuple[str, ...] = ()  # public keys of which one must have signed; empty: none is asked for

    @field_validator("require_signature_of")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            if not re.fullmatch("[0-9a-f]{64}", key):
                raise ValueError(f"{key[:80]!r} is no Ed25519 public key of 64 hex digits")
        return value


class LimitSettings(_Section):
    """`[limits]`: what a model may cost to serve. Architectures over a limit are rejected before training."""

    latency_seconds: float = Field(default=0.010, gt=0)  # median of one batch on this machine, one thread
    size_bytes: int = Field(default=20_000_000, gt=0)  # of the ONNX file
    memory_bytes: int = Field(default=0, ge=0)  # growth of a process that loads it and runs 64 rows; 0: no limit
    batch_rows: int = Field(default=1, ge=1, le=4096)  # of that batch; the precision that is fastest at it ships


class TuneSettings(_Section):
    """`[tune]`: the search."""

    max_trials: int = Field(default=20, ge=1)  # of a first search
    max_epochs: int = Field(default=10, ge=1)  # a trial
    max_total_epochs: int = Field(default=0, ge=0)  # of all trials; then the best are taken as they are; 0: no limit
    objectives: tuple[str, ...] = ("accuracy",)  # then latency_seconds, size_bytes: trials are ranked by Pareto fronts
    workers: int = Field(default=2, ge=1)  # processes that train trials side by side; on Ray at most so many
    threads: int = Field(default=0, ge=0)  # of a worker; 0 shares the cores out among them, on Ray it is 1
    executor: str = Field(default="processes", pattern="^(processes|ray)$")  # workers on this machine, or on a cluster
    ray_address: str = ""  # "host:port" of the head, or "auto" on a node of it; empty: a cluster of this machine alone
    ray_gpus: float = Field(default=0, ge=0)  # that each worker takes; of 0.5 two share a device
    seed: int = Field(default=0, ge=0)  # of sampling and training; the same seed asks for the same trials
    backend: str = Field(default="torch", pattern="^(torch|tensorflow)$")  # of Keras, one a worker process
    trial_timeout_seconds: float = Field(default=1800, gt=0)  # then the trial counts as failed
    max_seconds: float = Field(default=0, ge=0)  # of the whole search; called with more it goes on; 0: no limit
    tensorboard: bool = True  # logs in the study's folder
    mlflow_tracking_uri: str = ""  # of a server or a store, where MLflow is installed; empty: no runs there
    finalists: int = Field(default=3, ge=0, le=10)  # best trials that are trained again before one ships; 0: none
    finalist_seeds: int = Field(default=2, ge=1, le=10)  # trainings of each; none where all are over max_trials / 3

    @field_validator("objectives")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("accuracy", "latency_seconds", "size_bytes")
        if value[:1] != known[:1] or not set(value) <= set(known) or len(set(value)) < len(value):
            raise ValueError(f'it is "accuracy", and after it any of {", ".join(known[1:])}')
        return value


class ExportSettings(_Section):
    """`[export]`: when a smaller precision may replace FP32."""

    allowance_ratio: float = Field(default=0.01, ge=0, lt=1)  # most accuracy that quantization may cost, at 95%
    parity_absolute: float = Field(default=1e-4, gt=0)  # largest difference of a probability, FP32 against the source
    batch_rows: int = Field(default=64, ge=1)  # largest batch that is proved; serve.max_batch_rows unless set
    threads: int = Field(default=1, ge=1)  # of ONNX Runtime while measuring
    routes: str = Field(default="auto", pattern="^(auto|all|first)$")  # to ONNX that are tried, the fastest is kept
    route_timeout_seconds: float = Field(default=300, gt=0)  # then a route of a full export counts as failed
    max_file_bytes: int = Field(default=2_000_000_000, ge=1, le=2_000_000_000)  # of weights, else beside it
    recipes: tuple[str, ...] = ()  # precisions to try, by name as in docs/export.md; empty: those that it lists
    quantization_aware: bool = False  # fine-tune a copy of the weights where INT8 fails on accuracy alone
    target: str = Field(default="cpu", pattern="^(cpu|cuda|tensorrt)$")  # what will serve; precisions are judged on it


class ServeSettings(_Section):
    """`[serve]`: the data plane."""

    host: str = "127.0.0.1"  # address to listen on; "0.0.0.0" for all
    port: int = Field(default=3000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1)  # server processes
    models: tuple[str, ...] = ()  # names of those to serve; empty: every one that has a champion
    default_model: str = ""  # of several, the one that `/predict` means when a request names none
    require_keys: bool = True  # False lets anyone in: for a laptop, not for a network
    max_body_bytes: int = Field(default=8_000_000, ge=1)  # a request; more is refused while it is read
    max_tensor_bytes: int = Field(default=64_000_000, ge=1)  # of a request's raw columns, once they are tensors
    max_batch_rows: int = Field(default=64, ge=1)  # most rows that run together
    max_queue_rows: int = Field(default=4096, ge=1)  # a worker; beyond it the answer is 503, come back later
    registry_poll_seconds: float = Field(default=0.5, gt=0)  # a promoted bundle is looked for so often
    payload_share_ratio: float = Field(default=1.0, ge=0, le=1)  # of requests whose inputs are kept, drawn at random
    spool_drain_seconds: float = Field(default=0.2, gt=0)  # predictions reach the ledger so often
    max_spool_bytes: int = Field(default=1_000_000_000, ge=1)  # a worker; beyond it predictions are refused, not lost

    @field_validator("default_model")
    @classmethod
    def _is_served(cls, value: str, info: ValidationInfo) -> str:
        models = info.data.get("models", ())
        if value and models and value not in models:
            raise ValueError(f"it is none of serve.models, {list(models)}")
        return value


class LabelSettings(_Section):
    """`[labels]`: when a row has its label. See docs/labels.md."""

    horizon_seconds: float = Field(default=0.0, ge=0)  # of rankings: clicks until then make a label; 0: it is sent


class MonitorSettings(_Section):
    """`[monitor]`: the evaluator and the exporter."""

    host: str = "127.0.0.1"  # of the exporter
    port: int = Field(default=9464, ge=0, le=65535)  # of the exporter: /metrics
    interval_seconds: float = Field(default=5.0, gt=0)  # new labels are looked at so often
    tolerance: float = Field(default=0.02, ge=0, lt=1)  # loss above the reference that is still fine
    run_length_labels: float = Field(default=10_000, gt=1)  # average labels between false alarms, at least
    request_retune: bool = True  # the evaluator itself asks; False leaves that to Alertmanager


class RetuneSettings(_Section):
    """`[retune]`: what follows from evidence."""

    host: str = "127.0.0.1"  # of the Alertmanager webhook, and of requests over HTTP
    port: int = Field(default=9465, ge=0, le=65535)  # of both
    webhook_token: str = ""  # empty refuses every webhook
    poll_seconds: float = Field(default=2.0, gt=0)  # requests and jobs are looked for so often
    min_train_labels: int = Field(default=500, ge=1)  # fewer give "insufficient"
    min_gate_labels: int = Field(default=300, ge=1)  # fewer give "insufficient"
    min_slice_labels: int = Field(default=100, ge=1)  # the same for each slice that the task guards
    gate_wait_seconds: float = Field(default=3600, ge=0)  # for enough newer labels; then "insufficient"
    min_report_labels: int = Field(default=300, ge=0)  # newer than the gate's, for the figures after promotion
    report_wait_seconds: float = Field(default=3600, ge=0)  # for them; then the report says with how many it was made
    margin: float = Field(default=0.0, ge=0, lt=1)  # loss by which a challenger may be worse and still be promoted
    slice_margin: float = Field(default=0.05, ge=0, lt=1)  # the same on each slice that the task guards
    error_rate: float = Field(default=0.05, gt=0, lt=1)  # of promoting one worse than the margin, all gates together
    cooldown_seconds: float = Field(default=3600, ge=0)  # between two jobs of a model
    max_jobs_per_day: int = Field(default=8, ge=1)  # a model
    max_trials: int = Field(default=4, ge=1)  # of a re-tune's search
    max_epochs: int = Field(default=8, ge=1)  # a trial
    window_labels: int = Field(default=20_000, ge=1)  # most labelled rows that a re-tune takes
    lease_seconds: float = Field(default=60, gt=0)  # then the job of a silent worker goes to another
    promotion: str = Field(default="auto", pattern="^(auto|approve|off)$")  # of a challenger that passed its test
    promotion_wait_seconds: float = Field(default=259_200, gt=0)  # for approval or the end of a pause; then it is stale
    schedules: Annotated[tuple[ScheduleSettings, ...], AfterValidator(names_are_unique)] = ()  # see below
    maintenance: tuple[MaintenanceSettings, ...] = ()  # see below


class UpSettings(_Section):
    """`[up]`: what `evertune up` runs beside the project's own processes, on 127.0.0.1, where it is installed."""

    prometheus_port: int = Field(default=9090, ge=1, le=65535)  # of its pages
    alertmanager_port: int = Field(default=9093, ge=1, le=65535)  # of its pages


class Settings(BaseSettings):
    """All settings of a project. Frozen: read once, handed down."""

    model_config = SettingsConfigDict(
        env_prefix="EVERTUNE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    project: ProjectSettings = ProjectSettings()
    store: StoreSettings = StoreSettings()
    bundles: BundleSettings = BundleSettings()
    limits: LimitSettings = LimitSettings()
    tune: TuneSettings = TuneSettings()
    export: ExportSettings = ExportSettings()
    serve: ServeSettings = ServeSettings()
    labels: LabelSettings = LabelSettings()
    monitor: MonitorSettings = MonitorSettings()
    retune: RetuneSettings = RetuneSettings()
    up: UpSettings = UpSettings()

    @model_validator(mode="after")
    def _export_proves_what_is_served(self) -> Settings:
        if "batch_rows" not in self.export.model_fields_set:
            export = self.export.model_copy(update={"batch_rows": self.serve.max_batch_rows})
            object.__setattr__(self, "export", export)  # frozen once it is read
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes in through `init_settings`."""
        if isinstance(env_settings, EnvSettingsSource):  # EVERTUNE_PROJECT names the folder, not the section [project]
            env_settings.env_vars = {
                name: value for name, value in env_settings.env_vars.items() if name.lower() != "evertune_project"
            }
        return (env_settings, init_settings)


@dataclass(frozen=True)
class Project:
    """A folder with an `evertune.toml`, its settings, and where its state lies.

    Attributes:
        root: Absolute folder of the settings file.
        settings: As read.
    """

    root: Path
    settings: Settings

    @property
    def state(self) -> Path:
        """Folder of everything the project remembers."""
        return self.root / self.settings.project.state

    @property
    def runs(self) -> Path:
        """Folder of reports and pictures."""
        return self.root / self.settings.project.runs

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.settings.store.ledger_url or f"sqlite:///{self.state / 'ledger.db'}"

    @property
    def bundle_url(self) -> str:
        """URL for fsspec, or absolute folder of the bundle store."""
        url = self.settings.store.bundle_url
        if not url:
            return str(self.state / "bundles")
        return url if "://" in url else str(self.root / url)

    @property
    def signing_key_path(self) -> Path | None:
        """File of the private key that signs bundles; None where nothing is signed."""
        name = self.settings.bundles.signing_key
        return self.root / Path(name).expanduser() if name else None

    @property
    def studies(self) -> Path:
        """Folder of search journals, one folder a study."""
        return self.state / "studies"

    @property
    def spool(self) -> Path:
        """Folder of prediction spools, one file a server worker."""
        return self.state / "spool"

    @property
    def keys_path(self) -> Path:
        """File of hashed API keys."""
        return self.state / "keys.json"


def load_project(folder: Path | None = None) -> Project:
    """Reads the settings of the project around `folder`.

    Args:
        folder: Where to look for `evertune.toml`, upwards. None: `EVERTUNE_PROJECT`, else the working folder.

    Raises:
        SettingsError: No file, broken TOML, an unknown key, or a bad value. Names key, value and file.
    """
    path = _find(Path(folder or os.environ.get("EVERTUNE_PROJECT") or Path.cwd()).resolve())
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", fix="Correct that line.", file=str(path)) from error
    _refuse_unknown_environment(path)
    try:
        return Project(path.parent, Settings(**content))
    except (ValidationError, PydanticSettingsError) as error:
        raise _explain(error, path, content) from error


def _find(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise SettingsError(
        f"no {FILE_NAME} in {start} or above it",
        fix="Run `evertune init NAME`, change into a project folder, or set EVERTUNE_PROJECT.",
    )


def _refuse_unknown_environment(path: Path) -> None:
    """A misspelt override must not be ignored; pydantic-settings ignores what it does not know."""
    for name, value in os.environ.items():
        section, _, key = name.removeprefix("EVERTUNE_").lower().partition("__")
        if (
            not name.startswith("EVERTUNE_")
            or name in _OTHER_VARIABLES
            or (not key and section in Settings.model_fields)
        ):
            continue
        field = Settings.model_fields.get(section)
        known = {} if field is None else type(field.default).model_fields
        if key not in known:
            shown = f"{section}.{key}" if key else section
            raise SettingsError(
                f"unknown setting {shown} = {_shown(shown, value)} in the environment variable {name}",
                fix=_suggest(section, key) if key else "Two underscores part section and key: EVERTUNE_SERVE__PORT.",
                key=shown,
                file=str(path),
            )


def _explain(error: Exception, path: Path, content: dict[str, Any]) -> SettingsError:
    if not isinstance(error, ValidationError):
        problem = f"an EVERTUNE_ variable does not parse: {error}"
        return SettingsError(problem, fix="Set single keys: EVERTUNE_SECTION__KEY.")
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    variable = "EVERTUNE_" + key.replace(".", "__").upper()
    source = f"the environment variable {variable}" if variable in os.environ else str(path)
    if first["type"] == "extra_forbidden":
        section, _, name = key.partition(".")
        problem = f"unknown setting {key} = {_shown(key, first['input'])} in {source}"
        return SettingsError(problem, fix=_suggest(section, name), key=key, file=str(path))
    return SettingsError(
        f"setting {key} = {_shown(key, first['input'])} in {source}: {first['msg']}",
        fix="Set an allowed value; docs/settings.md lists them.",
        key=key,
        value=_shown(key, first["input"]),
        file=str(path),
    )


def _shown(key: str, value: object) -> str:
    """A value for a message; secrets stay out of it, misspelt keys of secrets too."""
    return "..." if any(word in key for word in _SECRET_WORDS) else repr(value)


def _suggest(section: str, key: str) -> str:
    sections = {name: type(field.default).model_fields for name, field in Settings.model_fields.items()}
    if section not in sections:
        return f"Known sections: {', '.join(sections)}."
    known = sections[section]
    table, dot, rest = key.partition(".")
    if dot and table in known:  # schedules.0.corn: a key of a table in a list
        section, key = f"{section}.{table}", rest.rpartition(".")[2]
        known = get_args(known[table].annotation)[0].model_fields
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"Did you mean {section}.{close[0]}?"
    return f"Known keys of [{section}]: {', '.join(known)}."
