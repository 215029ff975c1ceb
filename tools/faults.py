#!/usr/bin/env python3
"""Puts faults under a service that people write to, and counts what became of the writes.

    tools/faults.py BINARY [--short] [--only NAME]

Each row is one fault on one database: three writers go on creating organisations, each with an Idempotency-Key, and repeat what was not
acknowledged. Afterwards all that was acknowledged (201) has to be there once, and `khoosheh verify` has to find everything whole.

    lost      acknowledged, and not there
    half      there, and not whole (verify)
    twice     there more than once
    recovery  seconds from the end of the fault to the first acknowledged write
    restart   whether the service had to be restarted by hand; where the fault is its own end, its supervisor does

It starts its own services and its own PostgreSQL servers, on 127.0.0.1 and free ports, and ends only those. It needs the programs of a PostgreSQL
server, and root for the rows with a small disk. The exit status is 1 where a row has a count that is not 0.
"""

import argparse, glob, http.client, json, os, shutil, signal, socket, sqlite3, subprocess, sys, tempfile, threading, time, uuid

PASSWORD = "correct horse battery staple"
WRITERS = 3


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command, check=True, **options):
    return subprocess.run(command, check=check, capture_output=True, text=True, **options)


class Service:
    """One instance of the service, at a fixed port, so that a restarted one is found again."""

    def __init__(self, binary, url, folder):
        self.binary, self.url, self.folder, self.port, self.process = binary, url, folder, free_port(), None
        self.log, self.switch = open(os.path.join(folder, "service.log"), "a"), os.path.join(folder, "read-only")
        self.shim = os.path.join(folder, "read_only.so")
        run("cc", "-shared", "-fPIC", "-o", self.shim, os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_only.c"), "-ldl")

    def environment(self):
        return {**os.environ, "DATABASE_URL": self.url, "KHOOSHEH_BIND": f"127.0.0.1:{self.port}", "KHOOSHEH_WORKERS": "1",
                "KHOOSHEH_CONNECTIONS_PER_WORKER": "2", "KHOOSHEH_REQUESTS_PER_MINUTE": "0", "KHOOSHEH_WEBHOOK_WORKERS": "0",
                "KHOOSHEH_ATTACHMENTS_URL": f"file://{self.folder}/files", "KHOOSHEH_LOG_FILTER": "warn", "KHOOSHEH_DEMO_PASSWORD": PASSWORD}

    def command(self, *arguments, check=True):
        return run(self.binary, *arguments, env=self.environment(), check=check)

    def start(self):
        ignoring = "trap '' XFSZ; exec \"$0\" serve"
        shim = {"LD_PRELOAD": self.shim, "READ_ONLY_WHEN": self.switch} if self.url.startswith("sqlite:") else {}
        self.process = subprocess.Popen(["/bin/sh", "-c", ignoring, self.binary], env={**self.environment(), **shim}, stderr=self.log, stdout=self.log)
        end = time.time() + 60
        while time.time() < end:
            if self.request("GET", "/health/live")[0] == 200:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the service does not start; see {self.log.name}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)

    def request(self, method, path, body=None, headers=None, timeout=25):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        except http.client.HTTPException:
            return 0, b""

    def token(self):
        form = "grant_type=password&username=isipo&password=" + PASSWORD.replace(" ", "%20")
        end = time.time() + 30
        while time.time() < end:
            status, body = self.request("POST", "/api/v1/auth/token", form, {"content-type": "application/x-www-form-urlencoded"})
            if status == 200:
                return json.loads(body)["access_token"]
            time.sleep(0.3)
        raise RuntimeError(f"nobody can log in ({status})")


class Writers:
    """People who write, and repeat what was not acknowledged."""

    def __init__(self, service):
        self.service, self.acknowledged, self.moments, self.refused = service, set(), [], 0
        self.token, self.ending, self.lock = service.token(), False, threading.Lock()
        self.threads = [threading.Thread(target=self.work) for _ in range(WRITERS)]
        [thread.start() for thread in self.threads]

    def work(self):
        while not self.ending:
            name, key = f"fault {uuid.uuid4()}", str(uuid.uuid4())
            body = json.dumps({"kind": "association", "name_fa": name, "province": "IR-15"})
            headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json", "idempotency-key": key}
            while True:
                status, _ = self.service.request("POST", "/api/v1/organisations", body, headers)
                with self.lock:
                    if status == 201:
                        self.acknowledged.add(name)
                        self.moments.append(time.time())
                        break
                    self.refused += 1
                if self.ending or status in (400, 401, 403, 422):
                    break
                time.sleep(0.05)

    def since(self, moment):
        with self.lock:
            return sorted(m for m in self.moments if m >= moment)

    def end(self):
        self.ending = True
        [thread.join(40) for thread in self.threads]


class Sqlite:
    name = "SQLite"

    def __init__(self, folder):
        self.folder, self.path = folder, os.path.join(folder, "data", "khoosheh.sqlite")
        os.makedirs(os.path.dirname(self.path))
        self.url = f"sqlite://{self.path}"

    def names(self):
        with sqlite3.connect(self.path) as db:
            return [row[0] for row in db.execute("SELECT name_fa FROM organisation WHERE name_fa LIKE 'fault %' AND deleted_at IS NULL")]

    def close(self):
        pass


class Postgres:
    """A primary of our own, perhaps with a standby that it waits for."""
    name = "PostgreSQL"

    def __init__(self, folder, size=None, standby=False):
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder, self.servers = folder, []
        os.chmod(folder, 0o755)
        self.data = os.path.join(folder, "primary")
        os.mkdir(self.data)
        self.disk = size and mount(self.data, size)
        shutil.chown(self.data, "postgres", "postgres")
        self.port = free_port()
        inner = os.path.join(self.data, "data")
        self.run("initdb", "-D", inner, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start(inner, self.port)
        self.servers.append((inner, self.port))
        self.sql("CREATE ROLE khoosheh LOGIN")
        self.sql("CREATE DATABASE khoosheh OWNER khoosheh")
        self.url = f"postgres://khoosheh@127.0.0.1:{self.port}/khoosheh"
        if standby:
            self.add_standby()

    def run(self, program, *arguments, check=True):
        return run(os.path.join(self.programs, program), *arguments, check=check, user="postgres", group="postgres", cwd="/")

    def start(self, data, port):
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=30 -c max_wal_size=64MB -c min_wal_size=32MB"
        self.run("pg_ctl", "start", "-w", "-t", "30", "-s", "-D", data, "-l", data + ".log", "-o", options)

    def stop(self, data, mode):
        self.run("pg_ctl", "stop", "-w", "-t", "30", "-s", "-m", mode, "-D", data, check=False)

    def add_standby(self):
        folder = os.path.join(self.folder, "standby")
        os.mkdir(folder)
        shutil.chown(folder, "postgres", "postgres")
        data, port = os.path.join(folder, "data"), free_port()
        self.run("pg_basebackup", "-D", data, "-R", "-c", "fast", "-d", f"host=127.0.0.1 port={self.port} user=postgres application_name=standby")
        self.start(data, port)
        self.servers.append((data, port))
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.sql("SELECT pg_reload_conf()")
        self.url = f"postgres://khoosheh@127.0.0.1:{self.port},127.0.0.1:{port}/khoosheh?target_session_attrs=read-write"

    def sql(self, text, port=None, database="postgres"):
        server = ["-h", "127.0.0.1", "-p", str(port or self.port), "-U", "postgres", "-d", database]
        return run("psql", *server, "-Atqc", text, check=False).stdout.split("\n")

    def names(self):
        sql = "SELECT name_fa FROM organisation WHERE name_fa LIKE 'fault %' AND deleted_at IS NULL"
        return [name for name in self.sql(sql, self.servers[-1][1], "khoosheh") if name]

    def close(self):
        for data, _ in self.servers:
            self.stop(data, "immediate")
        if self.disk:
            run("umount", "--lazy", self.data, check=False)


def mount(folder, size):
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    return True


def fill(folder):
    try:
        with open(os.path.join(folder, "filler"), "wb") as file:
            while True:
                file.write(b"\0" * 4096)
                file.flush()
    except OSError:
        pass


# Faults: each is put in, lasts some seconds, and is taken out again.


def kill(service, _):
    service.process.kill()
    service.process.wait()
    service.start()


def stop_and_start(service, _):
    service.stop()
    service.start()


def freeze(service, _):
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    service.process.send_signal(signal.SIGCONT)


def cannot_grow(service, db):
    size = os.path.getsize(db.path + "-wal") + 20_000
    run("prlimit", "--pid", str(service.process.pid), f"--fsize={size}:")
    time.sleep(3)
    run("prlimit", "--pid", str(service.process.pid), "--fsize=unlimited:")


def full_disk(service, db):
    folder = db.data if isinstance(db, Postgres) else os.path.dirname(db.path)
    fill(folder)
    time.sleep(4)
    os.remove(os.path.join(folder, "filler"))
    if isinstance(db, Postgres) and not db.sql("SELECT 1")[0]:
        # PostgreSQL itself gives up where its log cannot be written: its supervisor starts it again.
        db.start(*db.servers[0])


def read_only_disk(service, db):
    # A disk is made read-only by its own errors; nobody may do so while files on it are open for writing.
    open(service.switch, "w").close()
    time.sleep(3)
    os.remove(service.switch)


def locked(service, db):
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(3)
    other.execute("ROLLBACK")
    other.close()


def moved_away(service, db):
    os.rename(db.path, db.path + ".elsewhere")
    time.sleep(3)
    os.rename(db.path + ".elsewhere", db.path)


def log_removed(service, db):
    os.remove(db.path + "-wal")
    time.sleep(2)


def crash(service, db):
    db.stop(db.servers[0][0], "immediate")
    time.sleep(1)
    db.start(*db.servers[0])


def server_stops(service, db):
    db.stop(db.servers[0][0], "fast")
    time.sleep(3)
    db.start(*db.servers[0])


def server_freezes(service, db):
    with open(os.path.join(db.servers[0][0], "postmaster.pid")) as file:
        first = int(file.readline())
    pids = [first] + [int(pid) for pid in run("pgrep", "-P", str(first), check=False).stdout.split()]
    [os.kill(pid, signal.SIGSTOP) for pid in pids]
    time.sleep(3)
    [os.kill(pid, signal.SIGCONT) for pid in reversed(pids)]


def sessions_end(service, db):
    db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")


def no_connections(service, db):
    db.sql("ALTER ROLE khoosheh CONNECTION LIMIT 0")
    sessions_end_of_the_service(db)
    time.sleep(3)
    db.sql("ALTER ROLE khoosheh CONNECTION LIMIT -1")


def sessions_end_of_the_service(db):
    db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'khoosheh'")


def read_only(service, db):
    db.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    db.sql("SELECT pg_reload_conf()")
    sessions_end_of_the_service(db)
    time.sleep(3)
    db.sql("SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only")
    run("psql", "-h", "127.0.0.1", "-p", str(db.port), "-U", "postgres", "-Atq", "-c", "ALTER SYSTEM RESET default_transaction_read_only",
        env={**os.environ, "PGOPTIONS": "-c default_transaction_read_only=off"}, check=False)
    db.sql("SELECT pg_reload_conf()")


def failover(service, db):
    (primary, _), (standby, port) = db.servers
    db.stop(primary, "immediate")
    db.run("pg_ctl", "promote", "-w", "-t", "30", "-s", "-D", standby)
    db.sql("ALTER SYSTEM RESET synchronous_standby_names", port)
    db.sql("SELECT pg_reload_conf()", port)


def switchover(service, db):
    (primary, _), (standby, port) = db.servers
    db.stop(primary, "fast")
    db.run("pg_ctl", "promote", "-w", "-t", "30", "-s", "-D", standby)
    db.sql("ALTER SYSTEM RESET synchronous_standby_names", port)
    db.sql("SELECT pg_reload_conf()", port)


ROWS = [
    # name, database, fault, in the short run, how the database is made
    ("kill -9", Sqlite, kill, True, {}),
    ("stop (SIGTERM)", Sqlite, stop_and_start, False, {}),
    ("frozen for 3 s", Sqlite, freeze, False, {}),
    ("file cannot grow (I/O error)", Sqlite, cannot_grow, True, {}),
    ("disk full", Sqlite, full_disk, True, {"size": "32m"}),
    ("disk read-only", Sqlite, read_only_disk, True, {}),
    ("locked by another process", Sqlite, locked, True, {}),
    ("file moved away and back", Sqlite, moved_away, False, {}),
    ("log removed", Sqlite, log_removed, True, {}),
    ("kill -9", Postgres, kill, False, {}),
    ("stop (SIGTERM)", Postgres, stop_and_start, False, {}),
    ("frozen for 3 s", Postgres, freeze, False, {}),
    ("server crashes", Postgres, crash, False, {}),
    ("server stops for 3 s", Postgres, server_stops, False, {}),
    ("server frozen for 3 s", Postgres, server_freezes, False, {}),
    ("sessions ended", Postgres, sessions_end, False, {}),
    ("no connections left", Postgres, no_connections, False, {}),
    ("read-only for 3 s", Postgres, read_only, False, {}),
    ("disk full", Postgres, full_disk, False, {"size": "300m"}),
    ("switchover to a standby", Postgres, switchover, False, {"standby": True}),
    ("failover to a standby", Postgres, failover, False, {"standby": True}),
]


def row(binary, kind, fault, made):
    with tempfile.TemporaryDirectory(prefix="khoosheh-faults-") as folder:
        disk = None
        if kind is Sqlite:
            db = Sqlite(folder)
            if made.get("size"):
                disk = os.path.dirname(db.path)
                mount(disk, made["size"])
        else:
            db = Postgres(folder, **made)
        own = os.path.join(folder, "own")
        os.mkdir(own)
        service = Service(binary, db.url, own)
        writers = None
        try:
            service.command("migrate", "up")
            subprocess.run([binary, "user", "create", "isipo", "--role", "national_manager"], input=PASSWORD, text=True, check=True,
                           env=service.environment(), capture_output=True)
            service.start()
            writers = Writers(service)
            time.sleep(1.5)
            fault(service, db)
            over, needed = time.time(), "no"
            while not writers.since(over) and time.time() < over + 40:
                time.sleep(0.05)
            recovered = writers.since(over)
            if not recovered:
                needed = "yes"
                service.process.kill()
                service.process.wait()
                service.start()
                time.sleep(3)
                recovered = writers.since(over)
            time.sleep(1)
            writers.end()
            service.stop()
            verified = service.command("verify", check=False)
            there = db.names()
            return {
                "acknowledged": len(writers.acknowledged),
                "refused": writers.refused,
                "lost": len(writers.acknowledged - set(there)),
                "half": 0 if verified.returncode == 0 else verified.stderr.strip() or 1,
                "twice": len(there) - len(set(there)),
                "recovery": f"{recovered[0] - over:.1f} s" if recovered else "never",
                "restart": needed,
            }
        finally:
            if writers and not writers.ending:
                writers.end()
            service.stop()
            db.close()
            if disk:
                run("umount", "--lazy", disk, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--short", action="store_true", help="the rows of the continuous integration only")
    parser.add_argument("--only", help="rows whose name or database contains this")
    arguments = parser.parse_args()
    columns = ["acknowledged", "refused", "lost", "half", "twice", "recovery", "restart"]
    print("| fault | database | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 2) + "|", flush=True)
    failed = False
    for name, kind, fault, is_short, made in ROWS:
        if (arguments.short and not is_short) or (arguments.only and arguments.only not in f"{name} {kind.name}"):
            continue
        try:
            result = row(arguments.binary, kind, fault, made)
        except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
            print(f"| {name} | {kind.name} | not run: {error} |", flush=True)
            failed = True
            continue
        print(f"| {name} | {kind.name} | " + " | ".join(str(result[column]) for column in columns) + " |", flush=True)
        failed |= any(result[column] != 0 for column in ("lost", "half", "twice")) or result["restart"] != "no"
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
