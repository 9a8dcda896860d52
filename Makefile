# The Python that .venv is made with, 3.11 or later.
PYTHON ?= python3
VENV := .venv/bin
# Most tests wait for processes of theirs more than they compute.
TEST_WORKERS ?= 3

.PHONY: run test check bench clean setup

run: setup  ## the daemon; without DISCORD_TOKEN with a simulated community
	@$(VENV)/rollcall run

test: setup  ## all tests
	@$(VENV)/pytest -n $(TEST_WORKERS) --dist loadfile

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
