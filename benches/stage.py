"""What the load is played on: the packages of the peer, a throw-away PostgreSQL, and processes that are ended with us."""

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
VENV = TARGET / "bench-venv"
PACKAGES = ["fastapi==0.165.0", "uvicorn[standard]==0.54.0", "stripe==16.1.0", "sqlalchemy[asyncio]==2.1.9",
            "psycopg[binary]==3.3.9"]
# Both receivers' server: durable, and with room enough that no checkpoint falls into one round only.
SERVER = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{cluster}'
max_connections = 100
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 30min
fsync = on
synchronous_commit = on
full_page_writes = on
"""


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def run_in_the_venv():
    """The packages are the peer's; this script looks into the database with one of them."""
    if Path(sys.prefix) == VENV:
        return
    stamp = VENV / "packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(PACKAGES):
        shutil.rmtree(VENV, ignore_errors=True)
        TARGET.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, *PACKAGES], check=True)
        stamp.write_text("\n".join(PACKAGES))
    python = str(VENV / "bin/python")
    os.execv(python, [python, *sys.argv])


class Cluster:
    """PostgreSQL refuses to run as root, so root lends it to the user that the package made."""

    def __enter__(self):
        found = [Path(it).parent for it in [shutil.which("pg_ctl")] if it]
        found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        self.bin = next(it for it in found if (it / "initdb").exists())
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.directory = tempfile.mkdtemp(prefix="relink-load.")
        self.port, self.password = free_port(), secrets.token_hex(16)
        secret = Path(self.directory, "password")
        secret.write_text(self.password + "\n")
        if self.prefix:
            for path in (self.directory, secret):
                shutil.chown(path, "postgres")
        data = f"{self.directory}/data"
        self.call("initdb", "-D", data, "-U", "postgres", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C",
                  "--auth-local=trust", "--auth-host=scram-sha-256")
        settings = Path(data, "postgresql.conf")
        with settings.open("a") as file:
            file.write(SERVER.format(cluster=self.directory))
        self.call("pg_ctl", "-D", data, "-l", f"{self.directory}/log", "-w", "-o", f"-p {self.port}", "start")
        return self

    def call(self, program, *args):
        subprocess.run([*self.prefix, self.bin / program, *args], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, cwd="/")

    def __exit__(self, *_):
        self.call("pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)

    def url(self, scheme="postgres"):
        return f"{scheme}://postgres:{self.password}@127.0.0.1:{self.port}/postgres"


class Process:
    """A process of ours, in a group of its own, with what it says in a file."""

    def __init__(self, command, log, **environment):
        self.log = open(log, "ab")
        self.it = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log,
                                   stdin=subprocess.DEVNULL, start_new_session=True, cwd=ROOT / "benches",
                                   env={**os.environ, **environment})

    def end(self, how=signal.SIGTERM):
        if self.it.poll() is None:
            os.killpg(self.it.pid, how)
        try:
            self.it.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.it.pid, signal.SIGKILL)
            self.it.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def wait_until_healthy(port, process):
    begun = time.monotonic()
    while time.monotonic() - begun < 30 and process.it.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"a receiver did not start; see {process.log.name}")


def say(text):
    print(text, flush=True)


def build():
    """relink as users build it."""
    command = ["cargo", "build", "--release", "--locked", "--bin", "relink", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    return next(it["executable"] for it in messages if it.get("executable"))


class Postgres:
    past = "'2026-11-01 12:00:00+00'"

    def __init__(self, cluster):
        import psycopg
        self.url, self.peer_url = cluster.url(), cluster.url("postgresql+psycopg")
        self.connection = psycopg.connect(cluster.url("postgresql"), autocommit=True)
        self.rows("DROP SCHEMA IF EXISTS relink CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.rows((ROOT / "fixtures/schema.postgres.sql").read_text())

    def rows(self, sql):
        cursor = self.connection.execute(sql)
        return cursor.fetchall() if cursor.description else []

    def numbers(self, count):
        return f"generate_series(1, {count}) AS t(n)"

    def close(self):
        self.connection.close()


class Sqlite:
    past = "'2026-11-01 12:00:00.000000'"

    def __init__(self, directory):
        path = tempfile.mkstemp(suffix=".db", dir=directory)[1]
        self.url, self.peer_url = f"sqlite://{path}", f"sqlite:///{path}"
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript((ROOT / "fixtures/schema.sqlite.sql").read_text())

    def rows(self, sql):
        return self.connection.execute(sql).fetchall()

    def numbers(self, count):
        return f"(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {count}) SELECT n FROM t)"

    def close(self):
        self.connection.close()


class Stripe:
    """The double, in a process of its own; nothing of it is counted."""

    def __init__(self, program, directory):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        state = tempfile.mkdtemp(dir=directory)
        command = [program, "sandbox", "serve", "--port", str(self.port), f"--sandbox={state}"]
        log = f"{state}.log"
        self.process = Process(command, log)
        while "stripe_api_key" not in open(log).read():  # said once it serves, with the sample in it
            if self.process.it.poll() is not None:
                raise SystemExit(f"the double did not start; see {log}")
            time.sleep(0.02)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/_sandbox/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)


class Front:
    """What stands at https://api.stripe.com for a live key, in a process of its own (front.py)."""

    def __init__(self, double, directory):
        self.directory = tempfile.mkdtemp(dir=directory)
        self.certify("authority", "-x509", "-subj", "/CN=relink bench authority")
        self.certify("stripe", "-x509", "-subj", "/CN=api.stripe.com", "-addext", "subjectAltName=DNS:api.stripe.com",
                     "-addext", "basicConstraints=critical,CA:FALSE", "-CA", f"{self.directory}/authority.pem",
                     "-CAkey", f"{self.directory}/authority.key")
        port = free_port()
        log = f"{self.directory}/log"
        self.process = Process([sys.executable, ROOT / "benches/front.py", port, double,
                                f"{self.directory}/stripe.pem", f"{self.directory}/stripe.key"], log)
        while "ready" not in open(log).read():
            if self.process.it.poll() is not None:
                raise SystemExit(f"the way to Stripe did not open; see {log}")
            time.sleep(0.02)
        self.environment = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": f"{self.directory}/authority.pem"}

    def certify(self, name, *args):
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", f"{self.directory}/{name}.key",
                        "-out", f"{self.directory}/{name}.pem", *args], check=True, stderr=subprocess.DEVNULL)


class Memory:
    """The peak of any of these processes, in MiB. What `wait4` tells begins with the memory of whoever started them."""

    def __init__(self, running):
        self.peak, self.running, self.over = 0.0, running, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(0.02):
            for it in self.running:
                try:
                    status = Path(f"/proc/{it.pid}/status").read_text()
                except OSError:
                    continue
                told = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
                self.peak = max([self.peak, *(int(kib) / 1024 for kib in told)])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def run_to_the_end(command, log, environment, well=(0,), processes=1):
    """A bad exit status if there was one, seconds until the last one ended, CPU seconds of all, and the peak memory of one in MiB."""
    begun = time.monotonic()
    with open(log, "wb") as file:
        running = [subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                    env={**os.environ, **environment}) for _ in range(processes)]
        ended = []
        with Memory(running) as memory:
            for it in running:
                _, status, used = os.wait4(it.pid, 0)
                it.returncode = os.waitstatus_to_exitcode(status)
                ended.append(used)
    bad = [it.returncode for it in running if it.returncode not in well]
    return (bad[0] if bad else 0, time.monotonic() - begun, sum(it.ru_utime + it.ru_stime for it in ended), memory.peak)
