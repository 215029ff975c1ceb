#!/usr/bin/env python3
"""Makes tests/data/DAY.sqlite.zst, the file of a demonstration, and DAY.json: its root, a cursor at the end of its feed, and its clusters. Later versions
have to open, migrate, verify and follow it (tests/api/former_database.rs). Usage: tools/former_database.py BINARY"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "correct horse battery staple"  # of the tests
ADDRESS = "127.0.0.1:18199"


def get(path, token=None, form=None):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(f"http://{ADDRESS}{path}", data=body, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def until_ready(process):
    while process.poll() is None:
        try:
            return urllib.request.urlopen(f"http://{ADDRESS}/health/ready").close()
        except urllib.error.URLError:
            time.sleep(0.2)
    sys.exit("the demonstration has ended")


def main(binary):
    with tempfile.TemporaryDirectory() as folder:
        environment = {"KHOOSHEH_DEMO_PASSWORD": PASSWORD, "KHOOSHEH_BIND": ADDRESS, "DATABASE_URL": "sqlite://khoosheh.sqlite", "PATH": os.environ["PATH"]}
        demo = subprocess.Popen([binary, "demo"], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_ready(demo)
        token = get("/api/v1/auth/token", form={"grant_type": "password", "username": "isipo", "password": PASSWORD})["access_token"]
        clusters = [cluster["name_fa"] for cluster in get("/api/v1/clusters?province=IR-15&sort=code", token)["items"]]
        page = get("/api/v1/changes?snapshot=true&page_size=1000", token)
        while page["items"]:
            page = get(f"/api/v1/changes?since={page['next_cursor']}&page_size=1000", token)
        demo.terminate()
        demo.wait()
        verified = subprocess.run([binary, "verify", "--without-files"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
        place = pathlib.Path(__file__).parent.parent / "tests/data" / str(datetime.date.today())
        known = {"root": verified.stdout.split()[-1], "cursor": page["next_cursor"], "clusters": clusters}
        place.with_suffix(".json").write_text(json.dumps(known, ensure_ascii=False, indent=2) + "\n")
        subprocess.run(["zstd", "--quiet", "--force", "-19", f"{folder}/khoosheh.sqlite", "-o", f"{place}.sqlite.zst"], check=True)


main(str(pathlib.Path(sys.argv[1]).resolve()))
