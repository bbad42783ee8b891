"""watch_npz.py WATCH_DATASET.npy OUT.npz: seglearn's pickled dict as plain arrays.

X (T, 6) f32, all series one after the other; lengths, subject, y (140,) i64. The same bytes from every Python
and numpy, so that a checksum holds: members are stored, dated 1980.
"""
import io
import sys
import zipfile

import numpy as np

source, goal = sys.argv[1:]
data = np.load(source, allow_pickle=True).item()
arrays = {
    "X": np.concatenate(data["X"]).astype("<f4"),
    "lengths": np.array([len(series) for series in data["X"]], "<i8"),
    "subject": np.asarray(data["subject"], "<i8"),
    "y": np.asarray(data["y"], "<i8"),
}
with zipfile.ZipFile(goal, "w") as archive:
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(1, 0))
        archive.writestr(zipfile.ZipInfo(name + ".npy"), buffer.getvalue())
