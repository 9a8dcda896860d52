from tests.trackers.own.music import Still


class Mine(Still):
    pass


def register(container):
    raise RuntimeError("the container is too small")
