"""Messages to bytes and back: MessagePack by msgspec, old versions upcast on the way in. The only place that does it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from actium_shared import commands, events
from actium_shared.errors import UnreadableError
from actium_shared.message import (
    Actor,
    Cause,
    ClockCause,
    Command,
    CommandCause,
    Commit,
    Event,
    EventCause,
    Message,
    Position,
    WorkCause,
)
from actium_shared.proposals import PackedCommand
from actium_shared.upcasts import UPCASTS, Upcast, upcast


class _Item(msgspec.Struct, frozen=True):
    """One message inside another: what it is, and its bytes."""

    type: str
    version: int
    body: msgspec.Raw


class _CauseItem(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: str
    command: _Item | None = None
    actor: Actor | None = None
    position: Position | None = None
    event_types: tuple[str, ...] = ()
    deadline: datetime | None = None
    order_id: str | None = None


class _CommitItem(msgspec.Struct, frozen=True):
    id: str
    decided_at: datetime
    cause: _CauseItem
    events: tuple[_Item, ...]
    reads: dict[str, int] = {}


class Codec:
    """Knows a catalogue of messages; `CODEC` knows all of ours, a test may make one that knows another version."""

    def __init__(self, messages: Iterable[type[Message]], upcasts: Mapping[tuple[str, int], Upcast]) -> None:
        self._upcasts = upcasts
        self._encoder = msgspec.msgpack.Encoder()
        self._decoders: dict[str, tuple[type[Message], msgspec.msgpack.Decoder[Any]]] = {}
        for message in messages:
            if message.TYPE in self._decoders:
                raise ValueError(f"two messages are called {message.TYPE}")
            self._decoders[message.TYPE] = (message, msgspec.msgpack.Decoder(message))
        self._commit_decoder = msgspec.msgpack.Decoder(_CommitItem)

    def encode(self, message: Message) -> bytes:
        """Give the body's bytes; type and version travel beside them."""
        return self._encoder.encode(message)

    def decode(self, message_type: str, version: int, body: bytes | msgspec.Raw) -> Message:
        """
        Give the message, brought to its newest version.

        Raises:
            UnreadableError: unknown type, a version from the future, or a body that does not fit.
        """
        known = self._decoders.get(message_type)
        if known is None:
            raise UnreadableError(f"unknown message type {message_type!r}; a newer release may have written it")
        message_class, decoder = known
        try:
            if version == message_class.VERSION:
                return decoder.decode(body)  # type: ignore[no-any-return]
            return self._decode_old(message_class, version, body)
        except (msgspec.DecodeError, KeyError) as exc:
            raise UnreadableError(f"cannot read {message_type} version {version}: {exc}") from exc

    def _decode_old(self, message_class: type[Message], version: int, body: bytes | msgspec.Raw) -> Message:
        if version > message_class.VERSION:
            raise UnreadableError(f"{message_class.TYPE} version {version} is newer than {message_class.VERSION}")
        fields = msgspec.msgpack.decode(body)
        fields = upcast(message_class.TYPE, version, fields, newest=message_class.VERSION, steps=self._upcasts)
        return msgspec.convert(fields, message_class)

    def pack(self, command: Command) -> PackedCommand:
        """Give a command as it stands inside another message."""
        return PackedCommand(type=command.TYPE, version=command.VERSION, body=self._encoder.encode(command))

    def unpack(self, packed: PackedCommand) -> Command:
        """
        Give the command that was packed.

        Raises:
            UnreadableError: as `decode`.
        """
        message = self.decode(packed.type, packed.version, packed.body)
        if not isinstance(message, Command):
            raise UnreadableError(f"{packed.type} is not a command")
        return message

    def encode_commit(self, commit: Commit) -> bytes:
        """Give a commit's bytes: one message on its stream."""
        return self._encoder.encode(
            _CommitItem(
                id=commit.id,
                decided_at=commit.decided_at,
                cause=self._cause_out(commit.cause),
                events=tuple(self._item(event) for event in commit.events),
                reads=dict(commit.reads),
            )
        )

    def decode_commit(self, body: bytes) -> Commit:
        """
        Give the commit, its events brought to their newest versions.

        Raises:
            UnreadableError: as `decode`.
        """
        try:
            item = self._commit_decoder.decode(body)
        except msgspec.DecodeError as exc:
            raise UnreadableError(f"not a commit: {exc}") from exc
        return Commit(
            id=item.id,
            events=tuple(self._event(event) for event in item.events),
            cause=self._cause_in(item.cause),
            decided_at=item.decided_at,
            reads=item.reads,
        )

    def _item(self, message: Message) -> _Item:
        return _Item(message.TYPE, message.VERSION, msgspec.Raw(self._encoder.encode(message)))

    def _event(self, item: _Item) -> Event:
        message = self.decode(item.type, item.version, item.body)
        if not isinstance(message, Event):
            raise UnreadableError(f"{item.type} is not an event")
        return message

    def _cause_out(self, cause: Cause) -> _CauseItem:
        match cause:
            case CommandCause(command=command, actor=actor):
                return _CauseItem("command", command=self._item(command), actor=actor)
            case EventCause(position=position, event_types=event_types):
                return _CauseItem("event", position=position, event_types=event_types)
            case ClockCause(deadline=deadline):
                return _CauseItem("clock", deadline=deadline)
            case WorkCause(order_id=order_id):
                return _CauseItem("work", order_id=order_id)

    def _cause_in(self, item: _CauseItem) -> Cause:
        if item.kind == "command" and item.command is not None:
            command = self.decode(item.command.type, item.command.version, item.command.body)
            if isinstance(command, Command):
                return CommandCause(command=command, actor=item.actor)
        if item.kind == "event" and item.position is not None:
            return EventCause(position=item.position, event_types=item.event_types)
        if item.kind == "clock" and item.deadline is not None:
            return ClockCause(deadline=item.deadline)
        if item.kind == "work" and item.order_id is not None:
            return WorkCause(order_id=item.order_id)
        raise UnreadableError(f"unknown kind of cause {item.kind!r}")


CODEC = Codec((*events.EVENTS, *commands.COMMANDS, *commands.REPLIES), UPCASTS)
