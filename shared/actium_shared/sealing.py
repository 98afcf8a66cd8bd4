"""
Boxes that anybody can fill and only the holder of one private key can open: how a tenant's secret crosses the bus.

X25519 with a key of its own for each box, HKDF-SHA256, ChaCha20-Poly1305. A box is bound to its `context`, so it cannot
be used in another place. Nothing here reads or writes files.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actium_shared.errors import PermanentError

KEY_BYTES = 32
LABEL = b"actium/sealed-box/1"
_FORM = b"\x01"
_NONCE = bytes(12)
"""Always the same, as no key ever encrypts twice."""


class CannotOpenError(PermanentError):
    """The box was filled for another key or another context, or was changed on its way."""


def new_private_key() -> bytes:
    """Give a key for a receiver."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key(private_key: bytes) -> bytes:
    """Give what everybody may know of a receiver's key."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def seal(content: bytes, receiver: bytes, *, context: bytes) -> bytes:
    """Fill a box for the holder of the key to which the public key `receiver` belongs."""
    once = X25519PrivateKey.generate()
    shared = once.exchange(X25519PublicKey.from_public_bytes(receiver))
    sender = once.public_key().public_bytes_raw()
    return _FORM + sender + _cipher(shared, sender, receiver).encrypt(_NONCE, content, context)


def open_box(box: bytes, private_key: bytes, *, context: bytes) -> bytes:
    """
    Give what is in a box.

    Raises:
        CannotOpenError: nobody with this key and context can open it.
    """
    sender, sealed = box[1 : 1 + KEY_BYTES], box[1 + KEY_BYTES :]
    if box[:1] != _FORM or len(sender) < KEY_BYTES:
        raise CannotOpenError("this is no sealed box of a form that is known here")
    own = X25519PrivateKey.from_private_bytes(private_key)
    receiver = own.public_key().public_bytes_raw()
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(sender))
        return _cipher(shared, sender, receiver).decrypt(_NONCE, sealed, context)
    except (InvalidTag, ValueError) as exc:  # a ValueError is a sender's key that is no point to speak of
        raise CannotOpenError("the sealed box was filled for another key, or was changed") from exc


def _cipher(shared: bytes, sender: bytes, receiver: bytes) -> ChaCha20Poly1305:
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=sender + receiver, info=LABEL).derive(shared)
    return ChaCha20Poly1305(key)
