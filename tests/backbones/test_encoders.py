"""Encoders of frames: in front of every backbone's layers, and of what they are told to see."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from seqmdn.backbones import ConvolutionEncoder, GRUBackbone, LSTMBackbone, MLPEncoder
from seqmdn.runs import draw, load_run
from tests.contracts import BACKBONE_CHECKS, BackboneKind, check_backbone, perturbed
from tests.images import train_images, write_images

ENCODERS = {
    "mlp": partial(MLPEncoder, hidden=5, layers=2),
    "convolution": partial(ConvolutionEncoder, width=3, filters=3, kernel=3, hidden=5),
}
KINDS = [
    BackboneKind(
        f"{cell.__name__} {name} {layers}{' skip and bypass' if more else ''}",
        partial(
            cell,
            **{"hidden": 6, "layers": layers, "skip": more, "bypass": more, "encoder": encoder},
        ),
        ((layers, 6),) * parts,
    )
    for cell, parts in ((LSTMBackbone, 2), (GRUBackbone, 1))
    for name, encoder in ENCODERS.items()
    for layers, more in ((1, False), (2, True))
]


@pytest.mark.parametrize("check", BACKBONE_CHECKS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: BackboneKind, check: str) -> None:
    check_backbone(kind, check)


def test_layers_see_the_frame_and_what_is_made_of_it() -> None:
    backbone = perturbed(LSTMBackbone(3, 6, layers=2, skip=True, encoder=ENCODERS["mlp"]), 0.3)
    assert [layer.input_size for layer in backbone.layers] == [8, 14]
    x = torch.randn(2, 5, 3)
    plain = LSTMBackbone(8, 6, layers=2, skip=True)
    plain.layers.load_state_dict(backbone.layers.state_dict())
    linear = [layer for layer in backbone.encoder.network if hasattr(layer, "weight")]
    made = x
    for layer in linear:
        made = F.silu(made @ layer.weight.T + layer.bias)
    torch.testing.assert_close(backbone(x)[0], plain(torch.cat((x, made), dim=-1))[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_filter_sees_the_pixels_beside_its_own_in_all_channels(channels: int) -> None:
    encoder = ConvolutionEncoder(
        7 * channels + 2, width=7, channels=channels, filters=2, kernel=3, layers=1, hidden=4
    )
    x = torch.randn(5, 7 * channels + 2)
    kernel, bias = encoder.convolutions[0].weight, encoder.convolutions[0].bias
    row = F.pad(x[:, : 7 * channels].view(5, 7, channels), (0, 0, 1, 1))
    seen = torch.stack(
        [
            torch.einsum("npc,fcp->nf", row[:, place : place + 3], kernel) + bias
            for place in range(7)
        ],
        dim=-1,
    )
    expected = encoder.output(torch.cat((F.silu(seen).flatten(1), x[:, 7 * channels :]), dim=1))
    torch.testing.assert_close(encoder(x), torch.cat((x, expected), dim=1))


@pytest.mark.parametrize("width", [1, 2, 5, 28])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_rows_of_any_width_are_halved(width: int, layers: int) -> None:
    encoder = ConvolutionEncoder(width, width, layers=layers, filters=2, hidden=3)
    assert encoder(torch.randn(2, 4, width)).shape == (2, 4, encoder.features)


@pytest.mark.parametrize("encoder", ["MLPEncoder", "ConvolutionEncoder"])
def test_a_run_is_configured_with_one(tmp_path: Path, encoder: str) -> None:
    from seqmdn.cli import main

    train_images(tmp_path, write_images(tmp_path / "images.h5", labels=True))
    options = {"hidden": 4} | ({"width": 6} if encoder == "ConvolutionEncoder" else {})
    words = [f"--model.init_args.backbone.init_args.encoder=seqmdn.backbones.{encoder}"]
    words += [
        f"--model.init_args.backbone.init_args.encoder.init_args.{name}={value}"
        for name, value in options.items()
    ]
    main(["fit", "-c", str(tmp_path / "config.yaml"), *words, "--out", str(tmp_path / "with")])
    run = load_run(tmp_path / "with")
    assert type(run.model.backbone.encoder).__name__ == encoder
    assert draw(run, num=2)[0].values.shape == (2, 4, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLPEncoder(3, hidden=0), "hidden must be at least 1, found 0"),
        (lambda: MLPEncoder(3, layers=0), "layers must be at least 1, found 0"),
        (lambda: ConvolutionEncoder(3, width=2, kernel=4), "kernel must be odd, found 4"),
        (lambda: ConvolutionEncoder(3, width=2, filters=0), "filters must be at least 1"),
        (lambda: ConvolutionEncoder(1, width=28), "row of 28 x 1 numbers or more, found 1: .*row"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
