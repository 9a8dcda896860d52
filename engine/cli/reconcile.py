"""``rollcall reconcile``: have what others see compared with the ledger, and repaired."""

from engine.cli.options import AsJson, ConfigFile


def reconcile(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Compare the live state with the ledger, and repair what differs. Tells what that was."""
    from engine.cli.client import EngineClient
    from engine.cli.tables import listing, print_json
    from engine.config import load

    told = EngineClient(load(config).api_socket).send("POST", "/reconcile")
    if as_json:
        print_json(told)
    else:
        print("\n".join(listing(told)))
    return 1 if told["errors"] else 0
