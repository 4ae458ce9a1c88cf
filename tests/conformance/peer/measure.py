"""Runs the conformance kit on server.py without a fault, and with each fault of one list, and prints which it detects.

    python3 measure.py --list 1 dms-kafka-conformance

Fails if a case fails without a fault. Needs Python 3.11 or newer, and nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
KEY = {"HUAWEICLOUD_SDK_AK": "PEERACCESSKEY", "HUAWEICLOUD_SDK_SK": "peer-secret-key"}


def failed_cases(kit, faults):
    """The names of the cases that fail."""
    environment = os.environ | KEY
    command = [sys.executable, HERE / "server.py", *(f"--fault={fault}" for fault in faults)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server, tempfile.TemporaryDirectory() as folder:
        try:
            ready = json.loads(server.stdout.readline())
            report = Path(folder, "report.json")
            flags = [f"--{name.replace('_', '-')}={value}" for name, value in ready.items()]
            ran = subprocess.run([*kit, *flags, "--destructive", f"--json={report}"], env=environment, capture_output=True, text=True, timeout=300)
            if ran.returncode == 2:
                # The kit found the server unusable before the first case.
                return [ran.stderr.strip()]
            cases = json.loads(report.read_text())["cases"]
        finally:
            server.terminate()
    return [case["name"] for case in cases if case["verdict"] == "fail"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=int, required=True, metavar="N", help="list of faults, as in faults.toml")
    parser.add_argument("kit", nargs="+", help="the kit and further arguments for it")
    arguments = parser.parse_args()
    faults = tomllib.loads(HERE.joinpath("faults.toml").read_text())["fault"]
    faults = [fault for fault in faults if fault["list"] == arguments.list]
    begin = time.monotonic()
    false_alarms = failed_cases(arguments.kit, [])
    print(f"without a fault: {len(false_alarms)} cases fail {' '.join(false_alarms)}".rstrip())
    print(f"one run takes {time.monotonic() - begin:.1f} s", file=sys.stderr)
    with ThreadPoolExecutor(2) as pool:
        failed = list(pool.map(lambda fault: failed_cases(arguments.kit, [fault["name"]]), faults))
    width = max(len(fault["name"]) for fault in faults)
    for fault, cases in zip(faults, failed):
        found = f"{len(cases):>3} cases, {', '.join(cases[:3])}" if cases else "NOT DETECTED"
        print(f"{fault['name']:<{width}}  {fault['kind']:<11}  {found}")
    detected = sum(map(bool, failed))
    print(f"{detected} of {len(faults)} faults detected")
    sys.exit(bool(false_alarms))


if __name__ == "__main__":
    main()
