#!/usr/bin/env python3
"""Verifies the audit of an ORION mesh from its documented format alone: python3 verify_audit.py FOLDER [VERIFIER KEY]. No package is needed."""
import base64, glob, hashlib, os, sys

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

# Ed25519, RFC 8032, section 6: slow and plain.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def x_of(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P: x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - xx) % P: return None
    return P - x if x & 1 != sign else x
def point(data):
    y = int.from_bytes(data, "little")
    x = x_of(y & (2**255 - 1), y >> 255)
    y &= 2**255 - 1
    return None if x is None else (x, y, 1, x * y % P)
def add(a, b):
    A, B = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    C, E = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = B - A, E - C, E + C, B + A
    return (e * f % P, g * h % P, f * g % P, e * h % P)
def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        if n & 1: out = add(out, a)
        a, n = add(a, a), n >> 1
    return out
BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y, 1, x_of(BASE_Y, 0) * BASE_Y % P)
def signed(public, text, signature):
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L: return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0

def bad(what):
    print("BAD", what)
    sys.exit(1)

folder = sys.argv[1]
key = sys.argv[2] if len(sys.argv) > 2 else open(os.path.join(folder, "verifier")).read().strip()
name, key_hash, encoded = key.split("+", 2)
key_bytes = base64.b64decode(encoded)
public = key_bytes[1:]
if key_bytes[0] != 1 or sha(name.encode() + b"\n" + key_bytes)[:4].hex() != key_hash: bad("key")

checkpoints = {}
notes = open(os.path.join(folder, "checkpoints"), "rb").read().split(b"\n\n")
for index in range(0, len(notes) - 1, 2):
    text = notes[index] + b"\n"
    number = index // 2 + 1
    try:
        origin, size, root = text.decode().splitlines()
        dash, signer, blob = notes[index + 1].decode().split(" ")
        blob = base64.b64decode(blob, validate=True)
    except ValueError:
        bad(f"checkpoint {number}: not a note")
    if origin != name or signer != name or dash != "—" or blob[:4].hex() != key_hash or not signed(public, text, blob[4:]):
        bad(f"checkpoint {number}: not signed by {name}")
    checkpoints[int(size)] = base64.b64decode(root)

size, chain, parts, last = 0, bytes(32), [], None  # parts: (height, hash) of the perfect trees
for path in sorted(glob.glob(os.path.join(folder, "entries-*"))):
    data = open(path, "rb").read()
    head = data[: data.index(b"\n\n")].decode().split("\n")
    at = data.index(b"\n\n") + 2
    first, before, chain_before = head[2].split(" ")
    if head[0] != "orion-audit 1" or head[1] != name or int(before) != size or chain_before != chain.hex(): bad(f"entry {first}: file header")
    while at < len(data):
        line_end = data.index(b"\n", at)
        position, length, chained = data[at:line_end].decode().split(" ")
        entry = data[line_end + 1 : line_end + 1 + int(length)]
        at = line_end + 1 + int(length) + 1
        leaf = sha(b"\0", entry)
        chain = sha(b"\2", chain, leaf)
        if chain.hex() != chained or data[at - 1 : at] != b"\n" or (last is not None and int(position) != last + 1): bad(f"entry {position}")
        last, size = int(position), size + 1
        parts.append((0, leaf))
        while len(parts) > 1 and parts[-1][0] == parts[-2][0]:
            (height, right), (_, left) = parts.pop(), parts.pop()
            parts.append((height + 1, sha(b"\1", left, right)))
        if size in checkpoints:
            root = parts[-1][1]
            for _, left in reversed(parts[:-1]): root = sha(b"\1", left, root)
            if root != checkpoints.pop(size): bad(f"entry {position}: not what the checkpoint of {size} entries was signed over")
if checkpoints: bad(f"checkpoint of {max(checkpoints)} entries: only {size} are there, entries are missing")
print(f"OK {size} entries, {(len(notes) - 1) // 2} checkpoints")
