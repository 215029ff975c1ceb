#!/usr/bin/env python3
"""Measures the rate of an import against what PostgreSQL takes by itself, in one run.

    tools/import_rate.py KHOOSHEH [ROWS] [URL]

KHOOSHEH is a release build of the service; ROWS enterprises (200,000) are imported into a new database at URL (postgres://postgres@127.0.0.1:5432), and
the same rows of all tables then go into another one by `COPY` and into a third by inserts of 500 rows, each statement its own
transaction, as `pg_dump --rows-per-insert` writes them. The databases are dropped at the end. Needs psql and pg_dump.
"""

import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

# In the order in which they refer to each other.
TABLES = ["cluster", "enterprise", "change_log", "search_term", "external_ref", "import", "import_row"]
WORDS = [
    "شرکت کارگاه کارخانه تعاونی صنایع".split(),
    "سنگ چرم فرش نساجی پسته زعفران فولاد پلاستیک مبل کاشی".split(),
    "زاگرس الوند دنا اروند کارون سپیدار پارس مهر نوین برتر".split(),
]
CLUSTERS = [f"15-{number:04}" for number in range(1, 6)]


def write_files(folder, rows):
    choose = random.Random(42).choice
    clusters, enterprises = f"{folder}/clusters.csv", f"{folder}/enterprises.csv"
    with open(clusters, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "code", "name_fa", "province", "isic", "identified_on"])
        writer.writerows([f"C{code}", code, f"خوشهٔ {code}", "IR-15", "2396", "2014-03-20"] for code in CLUSTERS)
    with open(enterprises, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "name_fa", "name_en", "province", "county", "isic", "size", "employment_total", "cluster_code", "member_from"])
        for number in range(rows):
            name = " ".join(map(choose, WORDS))
            row = [f"E{number}", f"{name} {number}", f"Firm {number}", "IR-15", "خرم‌آباد", "2396", "small", 12, choose(CLUSTERS), "2015-03-21"]
            writer.writerow(row)
    return clusters, enterprises


def main(khoosheh, rows=200_000, server="postgres://postgres@127.0.0.1:5432"):
    name = f"import_rate_{os.getpid()}"
    databases = [f"{name}_{which}" for which in ["import", "copy", "insert"]]

    def psql(database, *arguments):
        subprocess.run(["psql", "-qv", "ON_ERROR_STOP=1", f"{server}/{database}", *arguments], check=True, stdout=subprocess.DEVNULL)

    def service(database, *arguments):
        environment = {**os.environ, "DATABASE_URL": f"{server}/{database}"}
        subprocess.run([khoosheh, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)

    def timed(what, work):
        psql("postgres", "-c", "CHECKPOINT")
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        work()
        took, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{what:8} {took:7.1f} s, of which the client's processor {processor:5.1f} s, {rows / took:8.0f} rows/s", flush=True)
        return took

    with tempfile.TemporaryDirectory() as folder:
        clusters, enterprises = write_files(folder, rows)
        try:
            for database in databases:
                psql("postgres", "-c", f"CREATE DATABASE {database}")
                service(database, "migrate", "up")
            source, copied, inserted = databases
            for database in databases:
                psql(database, "-c", f"TRUNCATE {', '.join(TABLES)} CASCADE")
            service(source, "import", clusters, "--resource", "clusters", "--system", "rate")
            imported = timed("import", lambda: service(source, "import", enterprises, "--resource", "enterprises", "--system", "rate"))
            for table in TABLES:
                psql(source, "-c", f"\\copy {table} to {folder}/{table}.copy")
            tables = [argument for table in TABLES for argument in ["--table", table]]
            dump = ["pg_dump", "--data-only", "--rows-per-insert=500", f"--file={folder}/rows.sql", *tables, f"{server}/{source}"]
            subprocess.run(dump, check=True)
            copies = [argument for table in TABLES for argument in ["-c", f"\\copy {table} from {folder}/{table}.copy"]]
            by_copy = timed("COPY", lambda: psql(copied, *copies))
            by_insert = timed("INSERT", lambda: psql(inserted, "-f", f"{folder}/rows.sql"))
        finally:
            for database in databases:
                psql("postgres", "-c", f"DROP DATABASE IF EXISTS {database}")
    print(f"The import takes {imported / by_copy:.1f} times as long as COPY, {imported / by_insert:.1f} times as long as plain inserts.")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:3]), *sys.argv[3:4])
