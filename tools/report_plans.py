#!/usr/bin/env python3
"""Asks every report of a running service as the nation and as one province, and writes how PostgreSQL answered.

    tools/report_plans.py URL USER PASSWORD DATABASE LOG >docs/report-plans.md

DATABASE is the name of the service's database on the local PostgreSQL; LOG is the log of that PostgreSQL, where auto_explain writes
the plans. The service has to be started after `tools/report_plans.py --prepare DATABASE`, which switches auto_explain on for it
(superuser), and `--reset DATABASE` switches it off again. Times are those of the database, not of the service.
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
}
QUESTIONS = ["", "province=IR-15", "as_of=2020-03-19", "province=IR-15&known_at=2020-03-20T00:00:00Z"]
# Lines of a plan that say how rows are found.
TELLING = re.compile(r"(Seq Scan|Index Scan|Index Only Scan|Bitmap Heap Scan|Function Scan|Join|Nested Loop|Aggregate|Sort|WindowAgg|CTE Scan)")


def psql(database, statement):
    subprocess.run(["psql", "-qh", "127.0.0.1", "-U", "postgres", "-d", database, "-c", statement], check=True)


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return answer.read()


def plans(text):
    """Duration in milliseconds and plan of each statement in a part of the log."""
    for match in re.finditer(r"duration: ([\d.]+) ms  plan:\n((?:\t.*\n?)+)", text):
        yield float(match[1]), match[2]


def condensed(plan):
    """The nodes of a plan with their rows, without costs and conditions; below the most telling depth nothing is left out."""
    lines = plan.split("\n")
    start = next((i for i, line in enumerate(lines) if re.search(r"\(cost=|\(actual", line)), 0)
    kept = []
    for line in lines[start:]:
        if not re.search(r"\(actual|never executed", line):
            continue
        node = re.sub(r"\(cost=[^)]*\) ?", "", line.replace("\t", "", 1).rstrip())
        node = re.sub(r"\(actual rows=(\d+) loops=(\d+)\)", r"[\1 × \2]", node)
        if TELLING.search(node) or not kept:
            kept.append(node)
    return kept


def main():
    if sys.argv[1] in ("--prepare", "--reset"):
        for name, value in SETTINGS.items():
            change = f"SET {name} = '{value}'" if sys.argv[1] == "--prepare" else f"RESET {name}"
            psql(sys.argv[2], f'ALTER DATABASE "{sys.argv[2]}" {change}')
        return
    url, user, password, database, log = sys.argv[1:6]
    form = urllib.parse.urlencode({"grant_type": "password", "username": user, "password": password}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/auth/token", form) as answer:
        token = json.load(answer)["access_token"]
    entries = json.loads(get(f"{url}/api/v1/reports", token))["items"]
    table, details = [], []
    for entry in entries:
        for question in QUESTIONS:
            with open(log, encoding="utf-8", errors="replace") as file:
                file.seek(0, 2)
                body = get(f"{url}{entry['path']}?{question}", token)
                time.sleep(0.3)
                found = [(duration, plan) for duration, plan in plans(file.read()) if "change_log WHERE resource" not in plan.split("\n")[0]]
            total = json.loads(body)["total"]
            milliseconds = sum(duration for duration, _ in found)
            print(f"{entry['name']}?{question}: {milliseconds:.0f} ms, {total} rows, {len(body)} bytes", file=sys.stderr)
            table.append(f"| `{entry['name']}` | `{question}` | {milliseconds:,.1f} | {total:,} | {len(body):,} |")
            if found and not question:
                longest = max(found, key=lambda one: one[0])
                details.append(f"## {entry['name']}\n\n```\n" + "\n".join(condensed(longest[1])) + "\n```\n")
    print("# Plans of the reports\n")
    print("Made by `tools/report_plans.py` on data made by `generate/`; see there. Rows and loops are actual.\n")
    print("| report | question | ms in the database | rows | bytes |\n|---|---|---:|---:|---:|")
    print("\n".join(table) + "\n")
    print("\n".join(details), end="")


main()
