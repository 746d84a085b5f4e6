"""Verifies that a `Session-Context` was signed by Throughline for exactly this request, within the last minute.

Copy this file; it needs nothing but Python 3.9 or newer. ../README.md says what is covered and what is not.
`python3 verify.py [../vectors.json]` runs the vectors and exits with 1 if any comes out otherwise.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from urllib.parse import unquote_to_bytes

LABEL = "throughline"
COMPONENTS = ["@method", "@authority", "@path", "@query", "session-context"]
ALGORITHM = "hmac-sha256"
MIN_KEY_BYTES = 32
# Clocks differ: a signature may seem to come from the future by this much, seconds.
SKEW_S = 5
MAX_LIFETIME_S = 60


class Refusal(Exception):
    """Why a context must not be believed: `reason` is one word for logs, and for code to tell them apart."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def verify(method, authority, path, query, headers, keys, now=None):
    """Verifies the context of one request and returns it; raises Refusal otherwise.

    - method, path and query as they arrived, nothing decoded; query without its `?`, None or "" if there is none.
    - authority: the Host header.
    - headers: pairs of name and value, or a mapping; a value may be a list of values.
    - keys: texts of CONTEXT_SIGNING_KEY, the new and the old one while they are changed.
    - now: epoch seconds.

    The answer is a dict of context, keyid, nonce, created and expires. The nonce is the id of the request: remember it
    until `expires` and refuse it a second time, if a request that is played again within the minute must not count.
    """
    now = int(time.time()) if now is None else now
    context = _field(headers, "session-context")
    components = _member(_field(headers, "signature-input"), "Signature-Input")
    signature = _member(_field(headers, "signature"), "Signature")
    if context is None:
        raise Refusal("unsigned", "there is no Session-Context")

    parameters, text = _checked_parameters(components)
    created, expires, keyid = parameters["created"], parameters["expires"], parameters["keyid"]
    usable = [key for key in keys if len((key or "").encode()) >= MIN_KEY_BYTES and key_id(key) == keyid]
    if not usable:
        raise Refusal("key", f"no key has the id {keyid}")
    if created > now + SKEW_S:
        raise Refusal("future", "the signature is not valid yet")
    if expires <= created or expires - created > MAX_LIFETIME_S:
        raise Refusal("lifetime", "the signature is meant to hold for too long, or not at all")
    if now >= expires:
        raise Refusal("expired", "the signature is too old")

    base = "\n".join([
        f'"@method": {method}',
        f'"@authority": {(authority or "").lower()}',
        f'"@path": {path or "/"}',
        f'"@query": ?{query or ""}',
        f'"session-context": {context}',
        f'"@signature-params": {text}',
    ])
    expected = hmac.new(usable[0].encode(), base.encode("utf-8", "replace"), hashlib.sha256).digest()
    if not hmac.compare_digest(expected, _digest(signature)):
        raise Refusal("mismatch", "the signature is not of this request, or not of this key")
    return {
        "context": _described(context),
        "keyid": keyid,
        "nonce": parameters["nonce"],
        "created": created,
        "expires": expires,
    }


def key_id(key):
    """The id under which Throughline names this key."""
    return hashlib.sha256(b"throughline/context-key-id\0" + key.encode()).hexdigest()[:16]


def _field(headers, wanted):
    """A field's value: its lines without the white space around them, joined (RFC 9421 §2.1)."""
    lines = []
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        if name.lower() == wanted:
            lines.extend([value] if isinstance(value, str) else value)
    return ", ".join(line.strip(" \t") for line in lines) if lines else None


def _member(value, name):
    found = None if value is None else _parse_dictionary(value).get(LABEL)
    if found is None:
        raise Refusal("unsigned", f"{name} has no member {LABEL}")
    return found


def _checked_parameters(member):
    """The parameters of our member of Signature-Input, and their text as it was signed (RFC 9421 §2.3, §2.5)."""
    kind, items, parameters = member
    if kind != "list" or any(item[0] != "string" for item in items):
        raise _malformed("the components are no list of strings")
    if [item[1] for item in items] != COMPONENTS or any(item[2] for item in items):
        raise Refusal("components", f"exactly {' '.join(COMPONENTS)} have to be signed, in this order")
    text = "(" + " ".join(_serialized(item) for item in items) + ")"
    text += "".join(f";{name}={_serialized(value)}" for name, value in parameters.items())
    if parameters.get("alg", ("", ""))[1] != ALGORITHM:
        raise Refusal("algorithm", f"the algorithm is not {ALGORITHM}")
    for name, needed in [("created", "integer"), ("expires", "integer"), ("nonce", "string"), ("keyid", "string")]:
        if name not in parameters or parameters[name][0] != needed:
            raise _malformed(f"{name} is no {needed}")
    return {name: value[1] for name, value in parameters.items()}, text


def _serialized(item):
    kind, value = item[:2]
    if kind == "string":
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    if kind == "integer":
        return str(value)
    raise _malformed("a parameter of the signature is neither a string nor an integer")


def _digest(member):
    kind, value, _ = member
    if kind != "bytes":
        raise _malformed("the signature is no byte sequence")
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != 32 or base64.b64encode(decoded).decode() != value:
        raise _malformed("the signature is no SHA-256 in base64")
    return decoded


def _described(text):
    members = _parse_dictionary(text)

    def read(name, *kinds):
        found = members.get(name)
        if found is None or found[0] not in kinds:
            raise _malformed(f"{name} is missing in the context, or of another type")
        return found[1]

    findings = read("findings", "list")
    if any(finding[0] != "token" for finding in findings):
        raise _malformed("findings is no list of tokens")
    return {
        "id": read("id", "string"),
        "risk": read("risk", "integer"),
        # False: nothing was known of the session yet, and a risk of 0 says nothing.
        "known": members["risk"][2].get("unknown") != ("boolean", True),
        "verdict": read("verdict", "token"),
        "verified": read("verified", "boolean"),
        "user": read("user", "string", "display") if "user" in members else None,
        "findings": [finding[1] for finding in findings],
    }


def _malformed(message):
    return Refusal("malformed", message)


def _display_string(text):
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a display string is no UTF-8") from None


_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_BARE_ITEMS = [
    ("string", re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"'), lambda text: re.sub(r"\\(.)", r"\1", text)),
    ("display", re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"'), _display_string),
    ("bytes", re.compile(r":([A-Za-z0-9+/=]*):"), str),
    ("boolean", re.compile(r"\?([01])"), lambda digit: digit == "1"),
    ("date", re.compile(r"@(-?[0-9]{1,15})"), int),
    ("decimal", re.compile(r"(-?[0-9]{1,12}\.[0-9]{1,3})"), float),
    ("integer", re.compile(r"(-?[0-9]{1,15})"), int),
    ("token", re.compile(r"([A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)"), str),
]


def _parse_dictionary(text):
    """A Dictionary of RFC 9651 §4.2.2: from keys to (type, value, parameters); the value of a "list" is its items."""
    reader = _Reader(text)
    members = {}
    reader.skip(" ")
    while not reader.at_end():
        key = reader.key()
        if not reader.takes("="):
            members[key] = ("boolean", True, reader.parameters())
        elif reader.takes("("):
            members[key] = reader.inner_list()
        else:
            members[key] = reader.item()
        reader.skip(" \t")
        if reader.at_end():
            break
        if not reader.takes(","):
            reader.fail()
        reader.skip(" \t")
        if reader.at_end():
            reader.fail()
    return members


class _Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def fail(self):
        raise _malformed(f"a field cannot be read from character {self.at} on")

    def at_end(self):
        return self.at == len(self.text)

    def takes(self, character):
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def skip(self, characters):
        while not self.at_end() and self.text[self.at] in characters:
            self.at += 1

    def key(self):
        match = _KEY.match(self.text, self.at) or self.fail()
        self.at = match.end()
        return match[0]

    def bare_item(self):
        for kind, pattern, read in _BARE_ITEMS:
            match = pattern.match(self.text, self.at)
            if match:
                self.at = match.end()
                return kind, read(match[1])
        return self.fail()

    def parameters(self):
        found = {}
        while self.takes(";"):
            self.skip(" ")
            key = self.key()
            found[key] = self.bare_item() if self.takes("=") else ("boolean", True)
        return found

    def item(self):
        return (*self.bare_item(), self.parameters())

    def inner_list(self):
        items = []
        self.skip(" ")
        while not self.takes(")"):
            items.append(self.item())
            if self.at_end() or self.text[self.at] not in " )":
                self.fail()
            self.skip(" ")
        return "list", items, self.parameters()


def _main():
    import json
    import pathlib
    import sys

    file = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "vectors.json"
    published = json.loads(file.read_text("utf-8"))
    wrong = 0
    for vector in published["vectors"]:
        keys = [published["keys"][name] for name in vector["keys"]]
        try:
            got = verify(**vector["request"], keys=keys, now=vector["now"])
        except Refusal as refusal:
            got = {"refused": refusal.reason}
        if got != vector["expect"]:
            wrong += 1
            print(f"{vector['name']}: expected {vector['expect']}, got {got}", file=sys.stderr)
    print(f"{len(published['vectors'])} vectors, {wrong} wrong")
    sys.exit(1 if wrong or not published["vectors"] else 0)


if __name__ == "__main__":
    _main()
