"""A small Discord on loopback: REST v10, gateway v10, a world of guilds, and a community that lives in it.

``world`` holds the guilds and is acted upon, ``schedule`` their scheduled events; ``truth`` remembers who was
where; ``gateway`` and ``rest`` show the world to clients as Discord would; ``faults`` makes them misbehave;
``community`` brings the world to life, with ``occasions`` to gather for; ``server`` serves it all. Everything
runs on one asyncio loop, so nothing here is locked.
"""
