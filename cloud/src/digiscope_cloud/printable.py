"""What others sent, made fit for a terminal: a device must not move the cursor of who reads its dead letter."""


def printable(text: str) -> str:
    """Return the text with escapes for what a terminal would obey."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
