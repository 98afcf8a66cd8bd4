"""What a service has in its memory leaves it in no core dump."""

import subprocess
import sys

PROGRAM = """
import ctypes, os, resource
from actium_shared.service import keep_memory_private

keep_memory_private()
PR_GET_DUMPABLE = 3
print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_service_is_not_dumpable_whatever_the_system_does_with_dumps() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.split() == ["0", "0", "0"]
