"""What a core dump of an amphora's processes would hold: nothing, whatever the system does with dumps."""

import subprocess
import sys

CODE = """
import subprocess
from actium_amphora_agent.main import keep_memory_private
keep_memory_private()
print(open("/proc/self/coredump_filter").read(), flush=True)
subprocess.run(["sh", "-c", "cat /proc/self/coredump_filter; ulimit -c; ulimit -H -c"], check=True)
"""


def test_dumps_are_empty_for_the_agent_and_for_all_that_it_starts() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.split()
    assert [int(each, 16) for each in told] == [0, 0, 0, 0]
