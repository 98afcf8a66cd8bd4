"""Outside text as a token of a subject, and back."""

from hypothesis import given
from hypothesis import strategies as st

from actium_shared.streams import token, untoken

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(ANY_TEXT)
def test_any_text_is_one_token_and_can_be_read_back(text: str) -> None:
    encoded = token(text)
    assert encoded.isascii()
    assert encoded
    assert not set(encoded) & set(". *>\t\r\n")
    assert untoken(encoded) == text
