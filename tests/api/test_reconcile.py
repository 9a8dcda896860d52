def test_a_check_is_made_on_demand_and_tells_what_it_found(unix, engine):
    assert unix.post("/reconcile").json() == engine.reconcile()


def test_a_check_is_no_reading(unix):
    assert unix.get("/reconcile").status_code == 405
