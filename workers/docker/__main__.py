"""`python -m wfnb.workers.docker fleet`: what the backend of containers starts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from wfnb.errors import WfnbError
from wfnb.workers.docker.fleetfiles import FLEET_VARIABLE
from wfnb.workers.docker.keeper import keep_fleet
from wfnb.workers.docker.kinds import FleetTerms


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m wfnb.workers.docker", description=__doc__)
    parser.add_argument("what", choices=("fleet",))
    parser.add_argument("--key", help=f"for people who look at processes; ${FLEET_VARIABLE} counts")
    parser.parse_args(arguments)
    try:
        terms = FleetTerms.from_json(os.environ[FLEET_VARIABLE])
        return keep_fleet(terms, os.environ.get("WFNB_STORE", "embedded"))
    except KeyError:
        sys.stderr.write(f"wfnb: ${FLEET_VARIABLE} has to hold the fleet's terms\n")
    except WfnbError as error:
        sys.stderr.write(f"wfnb: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
