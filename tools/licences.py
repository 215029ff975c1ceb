#!/usr/bin/env python3
"""Fails when something that goes into the binary has a licence that we have not agreed to.

Walks the normal and build dependencies of the workspace (development dependencies are not shipped) and evaluates
each package's SPDX expression: one agreed licence is enough for an OR, an AND needs all of its parts.
"""

import json
import re
import subprocess
import sys

AGREED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "OpenSSL", "Unicode-3.0", "Unlicense", "Zlib",
}
PLATFORM = "x86_64-unknown-linux-gnu"


def agreed(expression):
    """Whether an SPDX expression can be met with agreed licences only; `MIT/Apache-2.0` is the old way to write OR."""
    tokens = re.findall(r"[()]|[\w.+-]+(?:\s+WITH\s+[\w.+-]+)?", expression.replace("/", " OR "))

    def any_of():
        met = all_of()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = all_of() or met
        return met

    def all_of():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one():
        token = tokens.pop(0)
        if token != "(":
            return " ".join(token.split()) in AGREED
        met = any_of()
        tokens.pop(0)  # the closing parenthesis
        return met

    return bool(tokens) and any_of() and not tokens


def shipped(metadata):
    """The packages reachable from the workspace members over normal and build dependencies, members left out."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, waiting = set(), list(metadata["workspace_members"])
    while waiting:
        package = waiting.pop()
        if package not in seen:
            seen.add(package)
            for dependency in nodes[package]["deps"]:
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                    waiting.append(dependency["pkg"])
    return [package for package in metadata["packages"] if package["id"] in seen - set(metadata["workspace_members"])]


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", PLATFORM]
    answer = subprocess.run(command, stdout=subprocess.PIPE)
    if answer.returncode:
        sys.exit(answer.returncode)
    packages = shipped(json.loads(answer.stdout))
    offenders = [package for package in packages if not agreed(package["license"] or "")]
    for package in offenders:
        print(f"{package['name']} {package['version']}: {package['license'] or 'no licence given'}", file=sys.stderr)
    if offenders:
        sys.exit(1)
    print(f"the licences of all {len(packages)} dependencies are agreed")


if __name__ == "__main__":
    main()
