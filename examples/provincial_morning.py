#!/usr/bin/env python3
"""A provincial company's morning: its own system registers the milestones that it keeps, and prints what is due this month.

    CLIENT_SECRET=… examples/provincial_morning.py http://127.0.0.1:8080 integrator

Every step may be repeated: a line that broke, a job that runs twice or a restart leave nothing behind twice. What is new goes
to standard error, the table to standard output. It needs Python 3.11 and nothing else.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

SYSTEM = "provincial-morning"  # what this system is called in external references
JSON = {"Content-Type": "application/json"}


class Api:
    def __init__(self, address, client_id, secret):
        self.address = f"{address}/api/v1"
        basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}", "Accept-Language": "en"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        token = self.expect(200, "POST", "/auth/token", b"grant_type=client_credentials", form)
        self.headers["Authorization"] = f"Bearer {token['access_token']}"  # for 15 minutes: this job is over by then

    def send(self, method, path, body=None, headers={}):
        """Status, headers and JSON of an answer. A refusal is a problem (RFC 9457) with a `code` that never changes."""
        request = urllib.request.Request(self.address + path, body, self.headers | headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.headers, json.load(refusal)

    def expect(self, expected, method, *request):
        status, _, answer = self.send(method, *request)
        if status != expected:
            sys.exit(f"{method} {request[0]}: {status} {json.dumps(answer, ensure_ascii=False)}")
        return answer

    def get(self, path, **query):
        return self.expect(200, "GET", f"{path}?{urllib.parse.urlencode(query)}")

    def pages(self, path, **query):
        """The records of all pages of a list."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def ensure(self, resource, key, record):
        """The record that this system calls `key`, made if it is not there."""
        path = f"/{resource}/by-ref/{SYSTEM}/{key}?calendar=persian"
        if self.send("GET", path)[0] == 404:
            print(f"new {resource}: {key}", file=sys.stderr)
            self.expect(201, "PUT", path, json.dumps(record).encode(), JSON)
        return self.expect(200, "GET", path)

    def create_once(self, resource, key, record):
        """A new record, made once however often it is sent, and whether it was sent before. For 24 hours the key gives the
        first answer again; after that the record's reference is taken (409), and the record that has it is the one."""
        body = json.dumps(record | {"external_refs": [{"system": SYSTEM, "key": key}]}).encode()
        headers = JSON | {"Idempotency-Key": f"{SYSTEM}-{key}"}
        status, received, answer = self.send("POST", f"/{resource}?calendar=persian", body, headers)
        if status == 409 and answer["code"] == "duplicate":
            return self.ensure(resource, key, record), True
        if status != 201:
            sys.exit(f"{key}: {status} {json.dumps(answer, ensure_ascii=False)}")
        return answer, received["Idempotency-Replayed"] == "true"


def main(address, client_id):
    api = Api(address, client_id, os.environ["CLIENT_SECRET"])
    province = api.get("/auth/me")["province"]
    today = api.get("/reports/identified-clusters", calendar="persian", fields="id")["as_of"]  # in Iran
    year, month, _ = today.split("-")

    # A project whose contract spans today. In life it is there.
    cluster = {"province": province, "name_fa": "سفال و سرامیک", "isic": [{"code": "2393"}]}
    company = {"province": province, "name_fa": "شرکت شهرک‌های صنعتی (نمونه)", "kind": "provincial_company"}
    project = {
        "cluster_id": api.ensure("clusters", "cluster", cluster)["id"], "title_fa": "پروژهٔ توسعهٔ خوشهٔ سفال",
        "organisation_id": api.ensure("organisations", "company", company)["id"],
        "contract_start": f"{year}-01-01", "contract_end": f"{int(year) + 2}-12-29",
    }
    project = api.ensure("projects", f"project-{year}", project)

    month = f"{year}-{month}"
    to_register = [("open", f"{month}-01", "گزارش آغاز ماه"), ("visit", today, "بازدید"), ("close", f"{month}-29", "صورت‌وضعیت ماه")]
    for key, due_on, title_fa in to_register:
        milestone = {"project_id": project["id"], "phase": "implementation", "title_fa": title_fa, "weight_bp": 100, "due_on": due_on}
        first, was_there = api.create_once("milestones", f"{due_on}-{key}", milestone)
        if not was_there:
            print(f"new milestones: {due_on}-{key}", file=sys.stderr)
        again, was_there = api.create_once("milestones", f"{due_on}-{key}", milestone)  # as if the answer had been lost
        assert was_there and again["id"] == first["id"]

    print("due         project     state         weight  milestone")
    due = api.pages("/milestones", due_in="this_month", calendar="persian", sort="due_on", page_size=2, include="project")
    for row in due:  # the Persian text last: on no terminal it moves another column
        print(f"{row['due_on']}  {row['project']['code']:10}  {row['state']:12}  {row['weight_bp'] / 100:5.1f}%  {row['title_fa']}")


main(*sys.argv[1:])
