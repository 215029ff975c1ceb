#!/usr/bin/env python3
"""Measures how long ordinary reads take while one caller asks for too much: tools/latency_under_attack.py [--only NAME] BINARY [URL…]

For each database (an embedded one, and each URL of an empty PostgreSQL database) a service is started on made data. For each attack the
median of ordinary reads is taken while nothing else is asked, and again during the attack. It must be no more than RATIO times as long, no
ordinary read may fail, and afterwards it has to be as before. Prints a table; ends with 1 where one of them does not hold.

An attack is an entry of ATTACKS: a function that is called over and over by WIDTH threads until the time is over.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

RATIO = 5
# Shorter medians are those of the machine, not of the service.
FLOOR = 0.002
IDLE, ATTACK = 5, 15
WIDTH = 12
SCALE = "0.01"
PASSWORD = "correct horse battery staple"
OWN_PASSWORD = "incorrect donkey torch needle"
# Who attacks may only read.
PEOPLE = {"reader": "national_manager", "attacker": "national_viewer"}
ORDINARY = ["/api/v1/clusters?page_size=20", "/api/v1/projects?page_size=20", "/api/v1/milestones?page_size=20", "/health/ready", "/api/v1/changes?page_size=5"]
THEN = "known_at=2026-06-01T00:00:00Z"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Service:
    """A service on made data."""

    def __init__(self, binary, url):
        self.folder, self.port, self.passwords = tempfile.mkdtemp(), free_port(), {}
        self.log = open(os.path.join(self.folder, "service.log"), "w")
        environment = {**os.environ, "DATABASE_URL": url or f"sqlite://{self.folder}/made.sqlite", "KHOOSHEH_BIND": f"127.0.0.1:{self.port}",
                       "KHOOSHEH_ATTACHMENTS_URL": f"file://{self.folder}/files", "KHOOSHEH_LOG_FILTER": "warn", "KHOOSHEH_WEBHOOK_WORKERS": "0",
                       "KHOOSHEH_REQUESTS_PER_MINUTE": "0", "KHOOSHEH_PUBLIC_REQUESTS_PER_MINUTE": "0"}

        def run(*command, given=""):
            subprocess.run([binary, *command], env=environment, check=True, input=given, text=True, stdout=self.log, stderr=self.log)

        run("migrate", "up")
        generate = os.path.join(os.path.dirname(binary), "generate")
        subprocess.run([generate, "--scale", SCALE], env=environment, check=True, stdout=self.log, stderr=self.log)
        for name, role in PEOPLE.items():
            run("user", "create", name, "--role", role, given=PASSWORD + "\n")
        self.process = subprocess.Popen([binary, "serve"], env=environment, stdout=self.log, stderr=self.log)
        end = time.time() + 60
        while self.get("/health/ready")[0] != 200:
            if time.time() > end or self.process.poll() is not None:
                raise SystemExit(f"the service does not start: {open(self.log.name).read()[-2000:]}")
            time.sleep(0.5)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder)

    def get(self, path, token=None, timeout=40):
        return self.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {}, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=40):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def hold(self, message, seconds):
        """Sends something, and keeps the connection without reading from it."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.settimeout(seconds)
                connection.sendall(message)
                time.sleep(seconds)
        except OSError:
            pass

    def token(self, username):
        password = self.passwords.get(username, PASSWORD)
        form = f"grant_type=password&username={username}&password={password.replace(' ', '%20')}"
        status, body = self.request("POST", "/api/v1/auth/token", form, {"content-type": "application/x-www-form-urlencoded"})
        assert status == 200, body
        answer = json.loads(body)
        if not answer.get("must_change_password"):
            return answer["access_token"]
        change = json.dumps({"current_password": PASSWORD, "new_password": OWN_PASSWORD})
        headers = {"content-type": "application/json", "authorization": f"Bearer {answer['access_token']}"}
        status, body = self.request("POST", "/api/v1/auth/password", change, headers)
        assert status == 204, body
        self.passwords[username] = OWN_PASSWORD
        return self.token(username)


def slow_reports(service, tokens, turn):
    """Reports that look back, of an account that may only read."""
    report = ["province-league", "budget", "s-curve", "project-status"][turn % 4]
    service.get(f"/api/v1/reports/{report}?{THEN}", tokens["attacker"])


def abandoned_reports(service, tokens, turn):
    """The same, by a client that does not wait for the answer."""
    report = ["province-league", "cluster-candidates"][turn % 2]
    service.get(f"/api/v1/reports/{report}?{THEN}", tokens["attacker"], timeout=0.2)


# Made once: it is the service that is to be kept busy, not the client.
REFUSED_FORM = b"0=%00&" * 170_000
REFUSED_BODIES = [
    json.dumps({f"unknown_{number}": "\0" for number in range(36_000)}),
    json.dumps({"province": "IR-15", "name_fa": "\0", "isic": [{"code": "\0", "unknown": {}} for _ in range(29_000)]}),
]


def refused_forms(service, tokens, turn):
    """A login form of a mebibyte of which every value is refused, by nobody."""
    service.request("POST", "/api/v1/auth/token", REFUSED_FORM, {"content-type": "application/x-www-form-urlencoded"})


def refused_bodies(service, tokens, turn):
    """JSON of nearly a mebibyte of which every member, or every item, is refused."""
    service.request("POST", "/api/v1/clusters", REFUSED_BODIES[turn % 2], {"content-type": "application/json", "authorization": f"Bearer {tokens['reader']}"})


def unread_answers(service, tokens, turn):
    """Large answers, asked for many times over one connection and never read."""
    path = ["/openapi.json", f"/api/v1/reports/province-league?{THEN}", "/api/v1/milestones?page_size=200"][turn % 3]
    service.hold(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tokens['attacker']}\r\n\r\n".encode() * 5, 3)


def documents(service, tokens, turn):
    """What needs no token."""
    service.get(["/openapi.json", "/docs/", "/metrics", "/api/v1/public/clusters?page_size=200"][turn % 4])


def opaque_input(service, tokens, turn):
    """Forged cursors, and lists and words as long as they may be."""
    sections = ",".join(chr(ord("A") + number) for number in range(21))
    path = ["changes?since=AAAA", f"clusters?isic={sections}", f"clusters?q={'x' * 200}", "clusters?cursor=AAAA"][turn % 4]
    service.get(f"/api/v1/{path}", tokens["attacker"])


def unfinished_uploads(service, tokens, turn):
    """Files that are announced, begun, and left there."""
    head = f"POST /api/v1/imports?resource=enterprises&mode=validate&system=x HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 60000000\r\n"
    service.hold(f"{head}authorization: Bearer {tokens['reader']}\r\n\r\n".encode() + b"key,name_fa\n" * 200_000, 3)


ATTACKS = {
    "slow reports": slow_reports,
    "abandoned reports": abandoned_reports,
    "refused forms": refused_forms,
    "refused bodies": refused_bodies,
    "unread answers": unread_answers,
    "documents": documents,
    "opaque input": opaque_input,
    "unfinished uploads": unfinished_uploads,
}


def measure(service, token, seconds):
    """The median of ordinary reads in seconds, and how many of them failed."""
    times, failed, end = [], 0, time.time() + seconds
    while time.time() < end or len(times) < 20:
        for path in ORDINARY:
            begun = time.perf_counter()
            status, _ = service.get(path, token)
            times.append(time.perf_counter() - begun)
            failed += status != 200
    return statistics.median(times), failed


def during(service, tokens, attack, seconds):
    """What ordinary reads take while some threads attack."""
    is_over = threading.Event()

    def go_on(number):
        turn = number
        while not is_over.is_set():
            attack(service, tokens, turn)
            turn += 1
            # An answer at once is answered at once: a client that is refused asks again, but not without end.
            time.sleep(0.05)

    threads = [threading.Thread(target=go_on, args=(number,), daemon=True) for number in range(WIDTH)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    measured = measure(service, tokens["reader"], seconds)
    is_over.set()
    for thread in threads:
        thread.join(45)
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=ATTACKS, help="this attack alone")
    parser.add_argument("binary")
    parser.add_argument("urls", nargs="*", help="PostgreSQL databases without tables, beside an embedded one")
    arguments = parser.parse_args()
    broken = False
    print("| attack | database | idle, ms | attacked, ms | ratio | failed | afterwards, ms |\n|---|---|---:|---:|---:|---:|---:|")
    for url in [None, *arguments.urls]:
        service = Service(arguments.binary, url)
        try:
            tokens = {name: service.token(name) for name in PEOPLE}
            measure(service, tokens["reader"], 1)
            for name, attack in ATTACKS.items():
                if arguments.only not in (None, name):
                    continue
                (idle, _), (attacked, failed) = measure(service, tokens["reader"], IDLE), during(service, tokens, attack, ATTACK)
                afterwards, failed_afterwards = measure(service, tokens["reader"], 2)
                ratio = attacked / max(idle, FLOOR)
                broken |= ratio > RATIO or failed + failed_afterwards > 0 or afterwards > 2 * max(idle, FLOOR)
                database = "PostgreSQL" if url else "SQLite"
                print(f"| {name} | {database} | {idle * 1e3:.1f} | {attacked * 1e3:.1f} | {ratio:.1f} | {failed + failed_afterwards} | {afterwards * 1e3:.1f} |")
                sys.stdout.flush()
        finally:
            service.stop()
    sys.exit(broken)


main()
