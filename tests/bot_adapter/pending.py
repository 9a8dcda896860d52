"""The engine's effects on their way to an ingest, without a stream."""

import queue


class PendingEffects:
    """A receiver in memory: what is not done comes again with the next life, as from the stream."""

    def __init__(self):
        self.waiting = queue.Queue()
        self.handed_out = {}
        self.done_ids = []
        self.failures = 0

    def put(self, effect):
        self.waiting.put((effect.outbox_id, effect))

    def receive(self, block_ms):  # noqa: ARG002 - it never waits long
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the stream is away")
        try:
            receipt, effect = self.waiting.get(timeout=0.05)
        except queue.Empty:
            return []
        self.handed_out[receipt] = effect
        return [(receipt, effect)]

    def done(self, receipt):
        del self.handed_out[receipt]
        self.done_ids.append(receipt)

    def restart(self):
        for item in self.handed_out.items():
            self.waiting.put(item)
        self.handed_out.clear()
