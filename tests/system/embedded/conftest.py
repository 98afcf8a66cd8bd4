"""
Each test here runs in a machine of its own: fresh network, mount and process namespaces with an empty /run.

So a snapshot before and after can be compared whole, whatever else the host does, and nothing outlives a failed test.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INSIDE = "EMBEDDED_TEST_INSIDE"
LIMIT_S = 240


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if INSIDE in os.environ:
        return None
    if os.geteuid() != 0:
        pytest.skip("needs root")
    inner = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-x", str(pyfuncitem.nodeid)]
    prepare = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            prepare,
            "sh",
            *inner,
        ],
        env=os.environ | {INSIDE: "1"},
        cwd=pyfuncitem.config.rootpath,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a world that is not there yet."""
    return tmp_path / "world"
