"""
Environments of their own for software that tests are run against: installed once per checkout, from a lock file.

Run as a program it installs them all; a test that finds its own missing does so itself.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

INSTALL_TIMEOUT_S = 300
TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent


@dataclass(frozen=True, slots=True)
class Environment:
    """One such; what is to be in it stands in `lock_file`, with hashes."""

    name: str
    lock_file: Path

    @property
    def folder(self) -> Path:
        return CHECKOUT / ".venv" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self) -> None:
        """Have it, whole; two who want it at once make it once."""
        digest = sha256(self.lock_file.read_bytes() + sys.version.encode()).hexdigest()
        stamp = self.folder / "actium.stamp"
        with (self.folder.parent / f"{self.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if stamp.exists() and stamp.read_text() == digest:
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            uv = str(Path(sys.executable).parent / "uv")
            _run(uv, "venv", "--quiet", "--python", sys.executable, str(self.folder))
            into = ("--python", str(self.python), "--compile-bytecode")
            _run(uv, "pip", "install", "--quiet", *into, "--require-hashes", "-r", str(self.lock_file))
            stamp.write_text(digest)


def _run(*command: str) -> None:
    others = ("OS_", "ACTIUM_", "PYTHON", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        command, env=inherited, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


KEYSTONE = Environment("keystone", TESTS / "real_keystone" / "requirements.lock")
BARBICAN = Environment("barbican", TESTS / "real_barbican" / "requirements.lock")
SWIFT = Environment("swift", TESTS / "real_swift" / "requirements.lock")
OCTAVIA = Environment("octavia", TESTS / "differential" / "requirements.lock")

if __name__ == "__main__":
    for environment in (KEYSTONE, BARBICAN, SWIFT, OCTAVIA):
        environment.install()
        print(f"{environment.name}: as its lock file says")
