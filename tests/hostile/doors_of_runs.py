"""Checkpoints, stores and configurations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.hostile.door import PICKLE, TEXT, Door, add, of_zip

RNG = np.random.default_rng(0)


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


add(Door("checkpoint", "a.ckpt", _write_run, _read_checkpoint, of_zip, PICKLE))
add(Door("run", "a.ckpt", _write_run, _load_run, lambda content: of_zip(content)[:1], PICKLE))


def _write_store(folder: Path) -> None:
    from seqmdn.data import StoreWriter

    with StoreWriter(
        folder / "a.h5", ["x", "y"], "walk", "m", context=["c"], missing=True
    ) as writer:
        for split in ("train", "valid", "test"):
            values = RNG.standard_normal((5, 2))
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
add(Door("store", "a.h5", _write_store, _read_store, words=_HDF5))


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
    *(b"- ", b": ", b"{", b"|\n", b"!!binary a", b"!!set {a}", b"'", b"\t", *TEXT),
)
add(Door("configuration", "a.yaml", _write_config, _read_config, words=_YAML, named=False))
