import contextlib
import itertools
import resource
import selectors
import socket
import threading

import pytest

from engine.storage.journal import RedisJournal
from engine.storage.ledger import SqlLedger
from engine.storage.live import RedisLiveState
from engine.storage.queries import SqlReads
from engine.storage.redis_client import connect
from engine.storage.writer import JournalWriter
from tests.storage.ledgers import T, Writer


@pytest.fixture
def make_writer(tmp_path):
    """Make writers with the spool of this test; they are closed after it."""
    writers = []

    def make(url, source="life-1", **settings):
        writer = JournalWriter(url, source, spool_path=tmp_path / "spool", **settings)
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        writer.close(timeout_s=0)


@contextlib.contextmanager
def closed_after(kind):
    """Give what makes objects of this kind, for one partition each; they are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(url, partition=0, **settings):
            return stack.enter_context(contextlib.closing(kind(url, partition, **settings)))

        yield make


@pytest.fixture
def make_journal():
    """Make journals; they are closed after the test."""
    with closed_after(RedisJournal) as make:
        yield make


@pytest.fixture
def read_all(make_journal):
    """Read a whole stream as (source, seq, at)."""

    def read(url, partition=0):
        journal = make_journal(url, partition)
        found, cursor = [], "0-0"
        while records := journal.read(cursor, 1_000, 0):
            found += [(it.entry.source, it.entry.seq, it.entry.input.at) for it in records]
            cursor = records[-1].journal_id
        return found

    return read


@pytest.fixture
def journal(redis_url, make_journal):
    return make_journal(redis_url)


@pytest.fixture
def client(redis_url):
    """A plain client of the shared, empty server."""
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def make_live():
    """Make live states; they are closed after the test."""
    with closed_after(RedisLiveState) as make:
        yield make


@pytest.fixture
def live(redis_url, make_live):
    """A live state that stands at the journal's start."""
    live = make_live(redis_url)
    live.rebuild("0-0", [])
    return live


@pytest.fixture
def commit(live):
    """Mirror one commit after another."""
    journal_ids = (f"{number}-0" for number in itertools.count())
    at = next(journal_ids)

    def mirror(*effects):
        nonlocal at
        before, at = at, next(journal_ids)
        assert live.mirror(before, at, effects)

    return mirror


@pytest.fixture
def path(tmp_path):
    """The path of a ledger that is not yet there."""
    return tmp_path / "rollcall.db"


@pytest.fixture
def ledger(path):
    """A new ledger of one partition."""
    with contextlib.closing(SqlLedger(path, 0)) as ledger:
        yield ledger


@pytest.fixture
def write(path):
    """Put effects into the ledger at ``path``, whose time is then ``now``."""

    def write(*effects, now=T + 200, **facts):
        with contextlib.closing(SqlLedger(path, 0)) as ledger:
            Writer(ledger).write(*effects, now=now, **facts)

    write()
    return write


@pytest.fixture
def reads(path):
    return SqlReads(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Give the path of a new file each time."""
    folder = tmp_path_factory.mktemp("ledgers")
    numbers = itertools.count()
    return lambda: folder / f"{next(numbers)}.db"


@pytest.fixture
def folder(tmp_path):
    """The folder of backups, not yet there."""
    return tmp_path / "backups"


class Proxy:
    """Stands between a client and a Unix socket; can swallow what the server answers."""

    def __init__(self, target, path):
        self.url = f"unix://{path}"
        self._target = str(target)
        self._swallowing = threading.Event()
        self._stopped = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(0.02)
        self._links = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def swallow_replies(self):
        self._swallowing.set()

    def cut(self):
        """End all connections; those made later work."""
        for link in self._links:
            for end in link:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._swallowing.clear()

    def close(self):
        self._stopped.set()
        self._thread.join()
        self._listener.close()

    def _run(self):
        with selectors.DefaultSelector() as selector:
            while not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    self._link(self._listener.accept()[0], selector)
                for key, _ in selector.select(0) if self._links else ():
                    self._forward(*key.data)
            for link in self._links:
                for end in link:
                    end.close()

    def _link(self, near, selector):
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._target)
        self._links.append((near, far))
        selector.register(near, selectors.EVENT_READ, (near, far, False))
        selector.register(far, selectors.EVENT_READ, (far, near, True))

    def _forward(self, source, sink, is_reply):
        with contextlib.suppress(OSError):
            data = source.recv(1 << 16)
            if data and not (is_reply and self._swallowing.is_set()):
                sink.sendall(data)


@pytest.fixture
def proxy(redis_server, redis_url, tmp_path_factory):
    """A proxy before the shared server."""
    proxy = Proxy(redis_server.embedded.socket, redis_server.folder / "proxy.sock")
    yield proxy
    proxy.close()
    (redis_server.folder / "proxy.sock").unlink()


@pytest.fixture
def largest_file():
    """``with largest_file(size):`` what this process writes beyond is refused, as on a full disk."""

    @contextlib.contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
