#!/usr/bin/env python3
"""The rules of the house about who may depend on whom, checked against cargo's own metadata.

api depends on nothing of ours. state-machine depends on api alone. The rooms hcfs, yakd,
awesome-proxy, group and registry know api and runtime and never each other; the daemon introduces
them. The panel knows api and itself.
"""
import json
import subprocess
import sys

ROOMS = ["hwc-group", "hwc-registry", "hwc-hcfs", "hwc-yakd", "hwc-awesome-proxy"]
ALLOWED = {
    "hwc-api": [],
    "hwc-state-machine": ["hwc-api"],
    "hwc-runtime": ["hwc-api"],
    "hwc-journal": ["hwc-api", "hwc-state-machine"],
    "hwc-simulator": ["hwc-api", "hwc-runtime", "hwc-state-machine", "hwc-group"],
    **{room: ["hwc-api", "hwc-runtime"] for room in ROOMS},
    "hwcd": ["hwc-api", "hwc-runtime", "hwc-state-machine", "hwc-journal", *ROOMS],
    "hwc-panel-app": ["hwc-api"],
    "hwc-panel-frontend": ["hwc-panel-app"],
    "hwc-panel": ["hwc-api", "hwc-panel-app"],
    "hwc-panel-bindgen": [],
    "hwc-lab": ["hwc-api"],
}

command = ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"]
packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
ours = {package["name"] for package in packages}
wrong = [f"{name} is not in the list of {__file__}" for name in sorted(ours - ALLOWED.keys())]
for package in packages:
    name = package["name"]
    for dependency in package["dependencies"]:
        if dependency["name"] in ours - {name} - set(ALLOWED.get(name, [])):
            wrong.append(f"{name} must not depend on {dependency['name']}")
print("\n".join(wrong) or f"{len(packages)} crates, all directions as the house wants them")
sys.exit(bool(wrong))
