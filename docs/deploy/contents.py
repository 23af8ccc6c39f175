"""What is in a built relink, told from the binary itself: `cargo auditable` left the list of its crates there.

    contents.py sbom BINARY SBOM              the SBOM that cargo-cyclonedx made, without its folder's name and its time
    contents.py licenses BINARY REGISTRY      the licences and notices of every crate in the binary

It prints on stdout, the same for the same binary. It refuses an SBOM that leaves out a crate of the binary.
"""

import json
import os
import pathlib
import struct
import sys
import time
import zlib


def fail(text):
    sys.exit(f"contents.py: {text}")


def section(binary, name):
    """The bytes of one section of a 64-bit little-endian ELF file."""
    if binary[:6] != b"\x7fELF\x02\x01":
        fail("the binary is not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", binary, 0x28)
    size, count, names = struct.unpack_from("<HHH", binary, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", binary, table + size * at) for at in range(count)]
    texts = headers[names][4]
    for header in headers:
        start = texts + header[0]
        if binary[start : binary.index(b"\0", start)] == name:
            return binary[header[4] : header[4] + header[5]]
    fail(f"the binary has no section {name.decode()}: it was not built by `cargo auditable`")


def crates(path):
    """Every package that the binary names; `kind` is missing for those that are linked in."""
    packed = section(pathlib.Path(path).read_bytes(), b".dep-v0")
    return json.loads(zlib.decompress(packed))["packages"]


def sbom(binary, path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    # relink itself is named by the folder that it was made in.
    own = json.loads(text)["metadata"]["component"]
    document = json.loads(text.replace(own["bom-ref"], f"path+file:///relink#{own['name']}@{own['version']}"))
    # A number of its own and the time of making would differ each time; the commit's time does not.
    document.pop("serialNumber", None)
    made = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
    document["metadata"]["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", made)
    listed = {(entry["name"], entry["version"]) for entry in document["components"]}
    own = document["metadata"]["component"]
    listed.add((own["name"], own["version"]))
    own["purl"] = f"pkg:cargo/{own['name']}@{own['version']}"
    missing = [crate for crate in crates(binary) if (crate["name"], crate["version"]) not in listed]
    if missing:
        fail(f"the SBOM leaves out {missing}")
    document["components"].sort(key=lambda entry: (entry["name"], entry["version"]))
    document["dependencies"].sort(key=lambda entry: entry["ref"])
    for entry in document["dependencies"]:
        entry.get("dependsOn", []).sort()
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    print()


def is_notice(name):
    words = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
    return name.upper().startswith(words) and not name.endswith((".rs", ".toml", ".json"))


def licenses(binary, registry):
    texts, silent = {}, []
    for crate in crates(binary):
        if crate.get("kind") == "build" or crate["source"] == "local":
            continue
        name = f"{crate['name']} {crate['version']}"
        folders = sorted(pathlib.Path(registry).glob(f"src/*/{crate['name']}-{crate['version']}"))
        if not folders:
            fail(f"the sources of {name} are not in {registry}")
        files = [file for file in sorted(folders[0].iterdir()) if file.is_file() and is_notice(file.name)]
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()
            texts.setdefault(text, set()).add(name)
        if not files:
            silent.append(name)
    print("Licences and notices of the crates that are linked into relink, as their sources bring them.")
    print("Rust's standard library is under MIT OR Apache-2.0; SQLite, in libsqlite3-sys, is in the public domain.")
    print(f"Without a text of their own (the SBOM names their licences): {', '.join(sorted(silent)) or 'none'}.")
    for text, names in sorted(texts.items(), key=lambda entry: (sorted(entry[1]), entry[0])):
        print(f"\n{'=' * 100}\n{', '.join(sorted(names))}\n{'=' * 100}\n\n{text}")


def main(arguments):
    match arguments:
        case ["sbom", binary, path]:
            sbom(binary, path)
        case ["licenses", binary, registry]:
            licenses(binary, registry)
        case _:
            fail(__doc__)


main(sys.argv[1:])
