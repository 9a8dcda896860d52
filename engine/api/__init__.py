"""Rollcall over HTTP. FastAPI and uvicorn are imported here and nowhere else."""
