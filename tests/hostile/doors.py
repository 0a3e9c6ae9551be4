"""Every place where bytes from elsewhere come in: a small file that is right, and its reader."""

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

DOORS: dict[str, "Door"] = {}

_TEXT = (b"NaN", b"Infinity", b"1e400", b"-1e308", b"9" * 5000, b"null", b"\xff\xfe", b"\0", b'"')
_JSON = (*_TEXT, b"[" * 3000, b'{"a":' * 3000, b"[]", b"{}", b'"\\ud800"', b"true")
_TABLE = (*_TEXT, b"," * 300, b'"' + b"a" * 140_000, b"\r", b"\n\n", b"?")
_RNG = np.random.default_rng(0)


class Layer(NamedTuple):
    """A part of a file that can be changed under the checksums of the whole."""

    content: bytes
    pack: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Door:
    """A reader of files from elsewhere.

    Attributes:
        name: What it reads.
        file: The name of the file that is changed.
        build: Writes a file that is right into a folder, and what belongs to it.
        read: Reads it, given its path.
        layers: Gives the parts below the whole.
        words: What means something in the format.
        named: Whether an error must name the file; where several are read together, that of a
            configuration names the key, and that of a whole data set the set.
    """

    name: str
    file: str
    build: Callable[[Path], None]
    read: Callable[[Path], Any]
    layers: Callable[[bytes], list[Layer]] = lambda content: []
    words: tuple[bytes, ...] = ()
    named: bool = True

    def warm(self) -> None:
        """Have everything imported that reading imports, before anything is forbidden."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            self.build(Path(folder))
            self.read(Path(folder) / self.file)


def _door(door: Door) -> None:
    DOORS[door.name] = door


def of_zip(content: bytes) -> list[Layer]:
    """Give the members of a zip archive, each to be packed again with a right checksum."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(member, archive.read(member)) for member in archive.infolist()]

    def pack(changed: zipfile.ZipInfo, into: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for member, own in members:
                archive.writestr(member, into if member is changed else own)
        return stream.getvalue()

    def packer(member: zipfile.ZipInfo) -> Callable[[bytes], bytes]:
        return lambda into: pack(member, into)

    # Those that say what the others are come first; a hundred members of numbers are one kind.
    members.sort(key=lambda each: each[0].filename.endswith("data.pkl"), reverse=True)
    return [Layer(own, packer(member)) for member, own in members[:4]]


def of_gzip(content: bytes) -> list[Layer]:
    return [Layer(gzip.decompress(content), lambda into: gzip.compress(into, mtime=0))]


# --------------------------------------------------------------------------------------------------
# Checkpoints, stores, configurations
# --------------------------------------------------------------------------------------------------


def _write_run(folder: Path) -> None:
    import torch
    from jsonargparse import Namespace

    from seqmdn.data import Store
    from seqmdn.runs.run import model_parser
    from tests.small import parse, write_recipe, write_store

    store = write_store(folder / "walks.h5")
    config = parse(write_recipe(folder / "recipe", store))
    parser = model_parser()
    plain = json.loads(
        parser.dump(
            Namespace(data=config.data, model=config.model), format="json", skip_unset=False
        )
    )
    model = parser.instantiate(parser.parse_object(plain)).model(2, 0)
    with Store(store) as opened:
        sha256 = opened.sha256
    described = {**plain, "format": 1, "features": 2, "context": 0, "dataset": {"sha256": sha256}}
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"seqmdn": described, "state_dict": weights}, folder / "a.ckpt")


def _read_checkpoint(path: Path) -> None:
    from seqmdn.checkpoints import read_checkpoint

    read_checkpoint(path)


def _load_run(path: Path) -> None:
    from seqmdn.runs import load_run

    load_run(path).data.store.close()


_PICKLE = (
    *(b"c__builtin__\nbytearray\n", b"cos\nsystem\n", b"\x8e\0\0\0\0\1\0\0\0", b"\x85R"),
    *(
        b"r\xff\xff\xff\x7f",
        b"ctorch._utils\n_rebuild_sparse_tensor\n",
        b"\x8d",
        b"J\xff\xff\xff\x7f",
    ),
    *(b"ctorch\nDoubleStorage\n", b"}", b"]", b"(", b"t", b"\x86", b"2", b"0", b"s", b"u", b"."),
)
_door(Door("checkpoint", "a.ckpt", _write_run, _read_checkpoint, of_zip, _PICKLE))
_door(Door("run", "a.ckpt", _write_run, _load_run, lambda content: of_zip(content)[:1], _PICKLE))


def _write_store(folder: Path) -> None:
    from seqmdn.data import StoreWriter

    with StoreWriter(
        folder / "a.h5", ["x", "y"], "walk", "m", context=["c"], missing=True
    ) as writer:
        for split in ("train", "valid", "test"):
            values = _RNG.standard_normal((5, 2))
            writer.append(
                values, split, text="what it says", context=values[:, :1], observed=values > -9
            )


def _read_store(path: Path) -> None:
    from seqmdn.data import Store

    with Store(path) as store:
        for index in range(min(len(store), 8)):
            store.read(index), store.observed(index), store.text(index)
        store.gather(np.zeros(1, np.int64), np.zeros(1, np.int64))


_HDF5 = (b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"FRHP", b"\x89HDF\r\n\x1a\n", b"\xff" * 8)
_door(Door("store", "a.h5", _write_store, _read_store, words=_HDF5))


def _write_config(folder: Path) -> None:
    from tests.small import parse, write_recipe

    config = parse(write_recipe(folder / "recipe", folder / "walks.h5"), model="frmdn")
    plain = json.loads(_fit_parser().dump(config, format="json"))
    (folder / "a.yaml").write_text(yaml.safe_dump({k: plain[k] for k in ("data", "model")}))


def _fit_parser() -> Any:
    from seqmdn.configuration import fit_parser

    return fit_parser()


def _read_config(path: Path) -> None:
    parser = _parsers.setdefault("fit", None) or _fit_parser()
    _parsers["fit"] = parser
    parser.instantiate(parser.parse_args(["-c", str(path)]))


_parsers: dict[str, Any] = {}
_YAML = (
    *(
        b"!!python/object/apply:os.system ['true']",
        b"&a [*a]",
        b"*a",
        b"2001-99-99",
        b"<<: ",
        b"? ",
    ),
    *(b"os.system", b"subprocess.Popen", b"class_path: os.popen\n", b"init_args", b"[" * 400),
    *(b"- ", b": ", b"{", b"|\n", b"!!binary a", b"!!set {a}", b"'", b"\t", *_TEXT),
)
_door(Door("configuration", "a.yaml", _write_config, _read_config, words=_YAML, named=False))


# --------------------------------------------------------------------------------------------------
# JSON, text and tables
# --------------------------------------------------------------------------------------------------


def _write_json(folder: Path) -> None:
    content = {"nll": 1.5, "versions": {"git": "a"}, "per": [1.0, 2], "text": "é", "none": None}
    (folder / "metrics.json").write_text(json.dumps(content))


def _read_json(path: Path) -> None:
    from seqmdn.reading import read_json

    read_json(path, dict)


_door(Door("JSON", "metrics.json", _write_json, _read_json, words=_JSON))


def _write_pens(folder: Path) -> None:
    drawings = [{"strokes": [[[0, 0, 1], [1.5, 2, 2]], [[5, 5, 3]]], "text": "a"}]
    (folder / "a.json").write_text(json.dumps(drawings))
    (folder / "a.csv").write_text("stroke,x,y,t\n1,0,0,0\n1,2.5,1,1\n2,3,3,2\n")


def _read_pens(path: Path) -> None:
    from seqmdn.data import read_pen_file

    read_pen_file(path)


_door(Door("pen strokes, JSON", "a.json", _write_pens, _read_pens, words=_JSON))
_door(Door("pen strokes, CSV", "a.csv", _write_pens, _read_pens, words=_TABLE))


def _write_table(folder: Path) -> None:
    rows = [f"{n},{n / 7:.3f},{'ab'[n % 2]},2020-01-{n + 1:02d} 00:00" for n in range(20)]
    (folder / "a.csv").write_text("\n".join(["x,y,kind,when", *rows]))


def _read_table(path: Path) -> None:
    from data_prep.csv import prepare

    prepare(
        path, path.parent / "out.h5", ["x", "kind"], ["y"], ["kind"], split=("time", "when"),
        sort=True, unseen="zero",
    )  # fmt: skip


_door(Door("table", "a.csv", _write_table, _read_table, words=_TABLE, named=False))


def _write_arff(folder: Path) -> None:
    lines = ["@relation a", "@attribute 'x y' real", "@attribute z numeric", "@data"]
    (folder / "a.arff").write_text("\n".join([*lines, "0.5,1", "?,2", "% none", "1e3,-4"]))


def _read_arff(path: Path) -> None:
    from data_prep.arff import read_arff

    read_arff(path)


_ARFF = (b"@data", b"@attribute ", b"@relation ", b"'" + b"\\" * 5000, b"% ", b"{a,b}", *_TABLE)
_door(Door("ARFF", "a.arff", _write_arff, _read_arff, words=_ARFF))


def _write_quickdraw(folder: Path) -> None:
    lines = [
        json.dumps(
            {
                "key_id": str(number),
                "word": "cat",
                "recognized": True,
                "drawing": [[[0, 9.5, 30], [0, 7, number], [0, 5, 9]], [[4, 5], [6, 7], [10, 12]]],
            }
        )
        for number in range(30)
    ]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat.ndjson", "\n".join(lines))
    (folder / "a.zip").write_bytes(stream.getvalue())


def _read_quickdraw(path: Path) -> None:
    from data_prep.quickdraw import prepare

    prepare(path, path.parent / "out.h5")


_ZIP = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"../../a", b"__MACOSX/")
_door(
    Door(
        name="drawings, zipped",
        file="a.zip",
        build=_write_quickdraw,
        read=_read_quickdraw,
        layers=of_zip,
        words=(*_ZIP, *_JSON),
        named=False,
    )
)


def _write_lists(folder: Path) -> None:
    entries = [
        {"file": f"{n}.flac", "text": "a b", "split": "train", "samples": 8} for n in range(3)
    ]
    (folder / "metadata.json").write_text(json.dumps(entries))
    (folder / "metadata.csv").write_text("LJ1|one 1|one one\nLJ2|two|two\n")
    columns = "age,filename,native_language,speakerid,file_missing?"
    rows = ["24,a1,english,1,FALSE", "30,b1,french,2,FALSE", "30,c1,french,3,TRUE"]
    (folder / "speakers_all.csv").write_text("\n".join([columns, *rows]))
    (folder / "pendigits.tra").write_text("\n".join(["1, " * 16 + "7"] * 3))
    (folder / "words.txt").write_text("one\ntwo\nthree\n")


def _list(module: str, function: str = "_read") -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from importlib import import_module

        getattr(import_module(f"data_prep.{module}"), function)(path)

    return read


for _name, _file, _reader, _words in (
    ("list, JSON", "metadata.json", _list("kathleen"), _JSON),
    ("list, bars", "metadata.csv", _list("ljspeech"), (b"|", *_TABLE)),
    ("list, CSV", "speakers_all.csv", _list("accent"), _TABLE),
    ("pen digits", "pendigits.tra", _list("pendigits"), _TABLE),
    ("words", "words.txt", _list("omniglot_words", "read_words"), _TEXT),
):
    _door(Door(_name, _file, _write_lists, _reader, words=_words))


def _write_xml(folder: Path) -> None:
    points = "".join(f'<Point x="{n}" y="{n * n}" time="{n}.5"/>' for n in range(5))
    (folder / "a.xml").write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession>'
        '<WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription>'
        f"<StrokeSet><Stroke>{points}</Stroke><Stroke>{points}</Stroke></StrokeSet>"
        "</WhiteboardCaptureSession>\n"
    )


def _read_xml(path: Path) -> None:
    from data_prep.whiteboard import read_whiteboard

    read_whiteboard(path)


_XML = (
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b"<Point/>", b"<a>" * 2000, b"utf-16", b"hex"),
    *(b"<StrokeSet>", b"</Stroke>", b"&#0;", b"<![CDATA[", b"<!--", b"idna", b"rot13", *_TEXT),
)
_door(Door("XML", "a.xml", _write_xml, _read_xml, words=_XML))


# --------------------------------------------------------------------------------------------------
# Arrays and pictures
# --------------------------------------------------------------------------------------------------


def _write_npz(folder: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(12.0).reshape(3, 4), y=np.zeros(3, np.float16))
    (folder / "a.npz").write_bytes(stream.getvalue())


def _read_npz(path: Path) -> None:
    from data_prep.sources import read_arrays

    read_arrays(path, ("x", "y"))


_NPY = (
    *_ZIP,
    b"\x93NUMPY",
    b"'descr': '|O'",
    b"(1000000000000,)",
    b"'fortran_order': True",
    b"'<U99'",
)
_door(Door("npz", "a.npz", _write_npz, _read_npz, of_zip, _NPY))


def _write_objects(folder: Path) -> None:
    box = np.empty(3, object)
    box[:] = [np.arange(6, dtype=np.int16).reshape(2, 3), np.zeros((2, 3)), np.ones((4, 3))]
    stream = io.BytesIO()
    np.savez(stream, train=box, valid=box, test=box)
    (folder / "a.npz").write_bytes(stream.getvalue())


def _read_objects(path: Path) -> None:
    from data_prep.object_arrays import read_object_arrays

    read_object_arrays(path, ("train", "valid", "test"))


_door(Door("arrays of arrays", "a.npz", _write_objects, _read_objects, of_zip, (*_NPY, *_PICKLE)))


def _write_batch(folder: Path) -> None:
    content = {b"data": np.zeros((2, 8), np.uint8), b"labels": [1, 2], b"names": ["a", "b"]}
    (folder / "data_batch_1").write_bytes(pickle.dumps(content, protocol=2))


def _read_batch(path: Path) -> None:
    from data_prep.object_arrays import read_pickled_arrays

    read_pickled_arrays(path, ("data", "labels"))


_door(Door("pickle", "data_batch_1", _write_batch, _read_batch, words=_PICKLE))


def _write_idx(folder: Path) -> None:
    content = bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(range(48))
    (folder / "images.gz").write_bytes(gzip.compress(content, mtime=0))


def _read_idx(path: Path) -> None:
    from data_prep.idx import read_idx

    read_idx(path, (4, 4))


_door(Door("idx, gzip", "images.gz", _write_idx, _read_idx, of_gzip, (b"\x1f\x8b\x08",)))


def _write_matlab(folder: Path) -> None:
    import scipy.io

    stream = io.BytesIO()
    scipy.io.savemat(stream, {"m": np.arange(12.0).reshape(4, 3), "other": {"a": "b"}})
    (folder / "a.mat").write_bytes(stream.getvalue())


def _read_matlab(path: Path) -> None:
    from data_prep.matlab import read_matrix

    read_matrix(path, "m")


_door(Door("MATLAB", "a.mat", _write_matlab, _read_matlab, words=(b"\x0f\0\0\0", b"\x0e\0\0\0")))


def _write_omniglot(folder: Path) -> None:
    for number in (1, 2):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for writer in range(1, 4):
                name = (
                    f"strokes_background_small{number}/Greek/character01/0{number}_{writer:02}.txt"
                )
                archive.writestr(name, "START\n1.5,-2,0\n3,-2,20\nBREAK\n9,-9,40\nBREAK\n")
        (folder / f"strokes_background_small{number}.zip").write_bytes(stream.getvalue())


def _read_omniglot(path: Path) -> None:
    from data_prep.omniglot import read_drawings

    read_drawings(path.parent)


_OMNIGLOT = (*_ZIP, b"START", b"BREAK\n", b"\n", *_TEXT)
_door(
    Door(
        "Omniglot",
        "strokes_background_small1.zip",
        _write_omniglot,
        _read_omniglot,
        of_zip,
        _OMNIGLOT,
    )
)


# --------------------------------------------------------------------------------------------------
# Sound
# --------------------------------------------------------------------------------------------------


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
    _door(Door(f"sound, {_file[2:]}", _file, _write_sound, _read_sound, words=_RIFF))
