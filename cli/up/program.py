"""What `evertune up` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Program:
    """One process to keep alive.

    Attributes:
        name: Before each line of its log.
        command: With its arguments.
        address: Host and port that it listens on.
        setting: Key of the port in `evertune.toml`.
        ready_path: Answers 200 over HTTP once the process is up.
        page: Path that people open.
        environment: Beside that of the supervisor.
    """

    name: str
    command: Sequence[str]
    address: tuple[str, int]
    setting: str
    ready_path: str
    page: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Without a path; from this machine.

        Example:
            >>> Program("x", ["x"], ("0.0.0.0", 80), "x.port", "/").url
            'http://127.0.0.1:80'
        """
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
