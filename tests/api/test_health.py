def test_healthz_fails_when_a_part_has_ended(stranger, engine):
    assert stranger.get("/healthz").json() == {"status": "ok"}
    engine.is_alive = False
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed"})


def test_readyz_names_what_is_in_the_way(stranger, engine):
    assert stranger.get("/readyz").json() == {"ready": True, "reasons": []}
    engine.reasons = ["gateway: shard 0 is not connected", "journal: 12 entries behind"]
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": engine.reasons})
