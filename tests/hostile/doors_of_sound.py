"""Sound."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.door import Door, add


def _write_sound(folder: Path) -> None:
    import soundfile

    from seqmdn.data import StoreWriter

    attributes: dict[str, Any] = {"kind": "audio", "full_scale": 32768.0}
    names = [f"sample {place}" for place in range(4)]
    with StoreWriter(
        folder / "sound.h5", names, "a", "step", sample_rate=8000, attributes=attributes
    ) as writer:
        writer.append(np.zeros((2, 4)), "train")
    wave = (9000 * np.sin(np.arange(800) / 9)).astype(np.int16)
    for name, options in _SOUNDS.items():
        soundfile.write(folder / name, np.stack([wave, wave], 1), 16_000, **options)


_SOUNDS: dict[str, dict[str, str]] = {
    "a.wav": {"subtype": "PCM_24"},
    "a.flac": {"subtype": "PCM_16"},
    "a.sph": {"format": "NIST", "subtype": "PCM_16"},
    "a.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "a.mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
}


def _read_sound(path: Path) -> None:
    from seqmdn.data import Store
    from seqmdn.runs.clip import read_prime

    store = _stores.get("sound")
    if store is None:
        store = _stores["sound"] = Store(path.parent / "sound.h5")
        store.close()
    read_prime(path, store)


_stores: dict[str, Any] = {}
for _file in _SOUNDS:
    _RIFF = (b"RIFF", b"data", b"fmt ", b"fLaC", b"NIST_1A", b"sample_count -i 99999999", b"OggS")
    add(Door(f"sound, {_file[2:]}", _file, _write_sound, _read_sound, words=_RIFF))
