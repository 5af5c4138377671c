"""What an extract may take: patience and sizes; and how it is hashed.

Apart from what obeys them, so that reading the settings does not import an HTTP client.
"""

from __future__ import annotations

from typing import NamedTuple

XXH128, SHA256 = "xxh128", "sha256"
"""A fingerprint, which tells whether a source has changed in 1/30 of the time of the other; and a
cryptographic hash, which no source can forge: it names the raw copies."""


class HttpOptions(NamedTuple):
    """How patient a request is; durations are in seconds.

    Attributes:
        connect_timeout: for a connection, TLS included.
        read_timeout: between two pieces of an answer.
        attempts: how often to ask, the first time included.
        backoff: the unit of the exponential wait between attempts, and of its jitter.
        backoff_max: the longest such wait.
        retry_after_max: the longest wait that the server may ask for.
        max_redirects: how many redirects to follow.
    """

    connect_timeout: float = 10
    read_timeout: float = 30
    attempts: int = 5
    backoff: float = 0.5
    backoff_max: float = 30
    retry_after_max: float = 60
    max_redirects: int = 5


class ExtractOptions(NamedTuple):
    """What an extract may take, and how its bytes are hashed.

    Attributes:
        http: time-outs and retries of HTTP.
        deadline: seconds for the whole of it, retries and waits included.
        max_bytes: the longest body as it comes, in bytes.
        max_unpacked_bytes: the longest body after decompression, in bytes.
        hash_algorithm: of `micro_etl.source.hashing`.
    """

    http: HttpOptions = HttpOptions()
    deadline: float = 900
    max_bytes: int = 16 << 30
    max_unpacked_bytes: int = 16 << 30
    hash_algorithm: str = XXH128
