"""The networks of World Models' eye: its layers, and which pixel is which."""

import pytest
import torch
from torch import nn

from seqmdn.models.convolutions import PIXELS, FrameDecoder, FrameEncoder
from tests.contracts import assert_state_is_complete


def test_layers_are_those_of_the_paper() -> None:
    encoder, decoder = FrameEncoder(32, 32), FrameDecoder(32, 32)
    of_encoder = [p for p in encoder.layers if isinstance(p, nn.Conv2d)]
    of_decoder = [p for p in decoder.layers if isinstance(p, nn.ConvTranspose2d)]
    assert [p.out_channels for p in of_encoder] == [32, 64, 128, 256]
    assert {(p.kernel_size, p.stride) for p in of_encoder} == {((4, 4), (2, 2))}
    assert [p.out_channels for p in of_decoder] == [128, 64, 32, 3]
    assert [p.kernel_size[0] for p in of_decoder] == [5, 5, 6, 6]
    assert encoder.output.in_features == decoder.input.out_features == 1024
    # The paper's own count, of the model with 32 latents.
    assert sum(p.numel() for p in (*encoder.parameters(), *decoder.parameters())) == 4_348_547


@pytest.mark.parametrize(("row", "column", "channel"), [(0, 0, 0), (40, 7, 1), (63, 63, 2)])
def test_a_value_stands_for_row_column_and_channel(row: int, column: int, channel: int) -> None:
    encoder = FrameEncoder(latent=2, width=1)
    images: list[torch.Tensor] = []
    encoder.layers.register_forward_hook(lambda _, inputs, __: images.append(inputs[0]))
    frame = torch.zeros(1, PIXELS)
    frame[0, (row * 64 + column) * 3 + channel] = 1
    encoder(frame)
    assert images[0].nonzero().tolist() == [[0, channel, row, column]]


def test_what_is_decoded_has_the_order_of_what_is_encoded() -> None:
    decoder = FrameDecoder(latent=2, width=4)
    images: list[torch.Tensor] = []
    decoder.layers.register_forward_hook(lambda _, __, output: images.append(output))
    frame = decoder(torch.randn(1, 2)).reshape(64, 64, 3)
    assert images[0].shape == (1, 3, 64, 64)
    for channel in range(3):
        assert torch.equal(frame[..., channel], images[0][0, channel])
    assert bool(((frame > 0) & (frame < 1)).all())


def test_all_of_them_is_saved() -> None:
    assert_state_is_complete(FrameEncoder(3, 2))
    assert_state_is_complete(FrameDecoder(3, 2))
