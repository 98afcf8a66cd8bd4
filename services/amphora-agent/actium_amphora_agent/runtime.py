"""Changes without a reload: send commands to haproxy's socket and judge each answer."""

import re
from collections.abc import Awaitable, Callable, Sequence

_SILENT = re.compile(
    r"(set server \S+ (?!addr|fqdn)|set weight|enable|disable|shutdown|set maxconn|clear table|set table)"
)
_TALKATIVE = {
    "add server": re.compile(r"New server registered\."),
    "del server": re.compile(r"Server deleted\."),
    "set server": re.compile(r"(no need to change|IP changed|port changed|\S+/\S+ changed its).*"),
}


def is_expected(command: str, answer: str) -> bool:
    """Whether all is well: haproxy says nothing then, or the one sentence that belongs to the command; all else is a refusal."""
    answer = answer.strip()
    if _SILENT.match(command):
        return not answer
    verb = " ".join(command.split()[:2])
    return verb in _TALKATIVE and bool(_TALKATIVE[verb].match(answer))


async def send(commands: Sequence[str], ask: Callable[[str], Awaitable[str]]) -> tuple[str, str] | None:
    """None: all were taken. Otherwise the first that was not, and its answer; what came before it stays changed."""
    for command in commands:
        answer = await ask(command)
        if not is_expected(command, answer):
            return command, answer.strip()
    return None
