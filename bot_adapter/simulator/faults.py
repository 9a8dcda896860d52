"""What goes wrong on demand. Only state lives here; the gateway and the REST side ask it."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class RestFault:
    """How one REST request fails.

    ``lost_reply`` does what was asked, then drops the connection instead of answering. ``status`` is for
    ``error``; a 429 comes with ``retry_after`` (seconds), and with the Via header that Discord's own limiter
    sends and Cloudflare's does not, unless ``via`` is false.
    """

    kind: Literal["error", "lost_reply"] = "error"
    status: int = 429
    retry_after: float = 0.2
    via: bool = True


@dataclass(slots=True)
class Faults:
    """``swallow_acks``: heartbeats stay unanswered. ``paused``: dispatches wait inside the gateway."""

    swallow_acks: bool = False
    paused: bool = False
    _refuse_until: float = 0.0
    _refused_resumes: deque[bool] = field(default_factory=deque)
    _rest: deque[tuple[str, RestFault]] = field(default_factory=deque)

    def refuse_gateway(self, seconds: float) -> None:
        """Answer each gateway handshake with 503 for so long."""
        self._refuse_until = time.monotonic() + seconds

    @property
    def refusing(self) -> bool:
        return time.monotonic() < self._refuse_until

    def refuse_resumes(self, count: int = 1, *, resumable: bool = False) -> None:
        """Answer the next RESUMEs with INVALID_SESSION; ``resumable`` is its ``d``."""
        self._refused_resumes.extend([resumable] * count)

    def next_refused_resume(self) -> bool | None:
        return self._refused_resumes.popleft() if self._refused_resumes else None

    def fail_rest(self, fault: RestFault, *, path: str = "", count: int = 1) -> None:
        """Let the next ``count`` requests whose path contains ``path`` fail like this."""
        self._rest.extend([(path, fault)] * count)

    def next_rest_fault(self, path: str) -> RestFault | None:
        for item in self._rest:
            if item[0] in path:
                self._rest.remove(item)
                return item[1]
        return None
