# The Python that .venv is made with, 3.11 or later.
PYTHON ?= python3
VENV := .venv/bin
# Most tests wait more than they compute. Those of whole daemons come one by one: what they are held against is
# when things really happened, and a busy machine hears of that late.
TEST_WORKERS ?= 3
DAEMONS := tests/daemon tests/crash

.PHONY: run test check bench clean setup

run: setup  ## the daemon; without DISCORD_TOKEN with a simulated community
	@$(VENV)/rollcall run

test: setup  ## all tests
	@$(VENV)/pytest -n $(TEST_WORKERS) --dist loadfile $(addprefix --ignore=,$(DAEMONS))
	@$(VENV)/pytest $(DAEMONS)

check: setup  ## style, types and dependencies
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/python scripts/audit.py

bench: setup  ## speed and memory against the alternatives; a few minutes
	@$(VENV)/python -m tests.bench

clean:  ## what can be made again; the data stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@$(PYTHON) scripts/setup_venv.py
