"""What the load is played on: the packages of the peer, a throw-away PostgreSQL, and processes that are ended with us."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
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
