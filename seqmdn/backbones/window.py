"""Layers that read a text while they go, through a soft window that moves along it."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqmdn.backbones.backbone import Backbone, State, check_arguments, clip_gradient
from seqmdn.backbones.stacked import LSTMBackbone, remember, run_lstm
from seqmdn.data import decode

__all__ = ["WindowBackbone"]


class _State(NamedTuple):
    """The parts of a state, each batch first."""

    hidden: Tensor  # (B, layers, hidden)
    cell: Tensor  # (B, layers, hidden)
    place: Tensor  # (B, M), kappa
    window: Tensor  # (B, A), w
    text: Tensor  # (B, U, A), one-hot, 0 behind the end of a text


class WindowBackbone(Backbone):
    r"""LSTM layers that see a text through a window, as Graves' network for handwriting does.

    The first layer moves M Gaussian windows along the U characters c of the text, forwards only,
    and all layers see what the sum of them shows:

    .. math:: \phi(t, u) = \sum_{m=1}^M \alpha_t^m \exp\left(-\beta_t^m (\kappa_t^m - u)^2\right),
        \qquad w_t = \sum_{u=1}^U \phi(t, u) c_u

    .. math:: (\hat\alpha_t, \hat\beta_t, \hat\kappa_t) = W h_t^1 + b, \quad
        \alpha_t = e^{\hat\alpha_t}, \quad \beta_t = e^{\hat\beta_t}, \quad
        \kappa_t = \kappa_{t-1} + e^{\hat\kappa_t}

    .. math:: h_t^1 = f(x_t, w_{t-1}, h_{t-1}^1), \quad
        h_t^n = f(x_t, h_t^{n-1}, w_t, h_{t-1}^n), \quad h_t = (h_t^1, \dots, h_t^N)

    A state begins with :meth:`begin`, which takes the texts; they are a part of the state, so that
    a step needs nothing else. A text is finished when the window shows most of what would stand one
    place behind its last character.

    Args:
        inputs: Number of input features X.
        alphabet: Every character that a text may hold.
        hidden: Units of each layer.
        layers: Number of layers N.
        windows: Number of windows M.
        pace: Characters a step that the windows move in the beginning of training: about the
            inverse of the number of points of a character.
        dropout: Probability with which each unit of every layer's output is dropped in training.
            The window sees the first layer whole, so that it never loses its place.
        clip: Largest entry of the gradient in every layer's output, see
            :class:`~seqmdn.backbones.LSTMBackbone`.

    Raises:
        ValueError: If a size is out of range, the alphabet is empty or holds a character twice, a
            text holds a character that is not in it or none at all, or an input or a state does not
            fit.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), equations 46 to 52.

    Example:
        >>> from seqmdn.data import encode
        >>> _ = torch.manual_seed(0)
        >>> backbone = WindowBackbone(inputs=3, alphabet="abc", hidden=8, layers=2, pace=0.3)
        >>> h, state = backbone(torch.zeros(2, 7, 3), backbone.begin(encode(["cab", "a"])))
        >>> h.shape, backbone.finished(state)
        (torch.Size([2, 7, 16]), tensor([False,  True]))
    """

    codes: Tensor  # (A,), the code points of the alphabet

    def __init__(
        self,
        inputs: int,
        alphabet: str,
        hidden: int = 128,
        layers: int = 2,
        windows: int = 10,
        pace: float = 0.07,
        dropout: float = 0.0,
        clip: float | None = None,
    ) -> None:
        super().__init__()
        sizes = {"inputs": inputs, "hidden": hidden, "layers": layers, "windows": windows}
        check_arguments(sizes, dropout, clip)
        if not alphabet or len(set(alphabet)) < len(alphabet) or "\0" in alphabet:
            raise ValueError(
                f"the alphabet must name every character of the texts once, found {alphabet!r}"
            )
        if not pace > 0:
            raise ValueError(f"pace must be positive, found {pace}")
        self.inputs = inputs
        self.alphabet = alphabet
        self.hidden = hidden
        self.windows = windows
        self.clip = clip
        self.features = layers * hidden
        codes = torch.tensor([ord(character) for character in alphabet])
        self.register_buffer("codes", codes, persistent=False)
        self.first = nn.LSTMCell(inputs + len(alphabet), hidden)
        remember(self.first.bias_ih, self.first.bias_hh)
        self.window = nn.Linear(hidden, 3 * windows)
        with torch.no_grad():
            self.window.weight.mul_(0.1)
            self.window.bias.zero_()
            self.window.bias[2 * windows :] = math.log(pace)
        self.dropout = nn.Dropout(dropout)
        above = inputs + len(alphabet) + hidden
        self.above = nn.ModuleList(LSTMBackbone.layer(above, hidden) for _ in range(layers - 1))

    def begin(self, text: Tensor) -> State:
        found = text.unsqueeze(-1) == self.codes  # (B, U, A)
        if not torch.compiler.is_exporting():  # a graph can refuse nothing
            self._check_text(text, found)
        of = self.window.weight
        batch = text.shape[0]
        layers = of.new_zeros(batch, 1 + len(self.above), self.hidden)
        # The first thing that is looked at is the first character.
        window = found[:, 0].to(of.dtype)
        place = of.new_zeros(batch, self.windows)
        return tuple(_State(layers, layers, place, window, found.to(of.dtype)))

    def _check_text(self, text: Tensor, found: Tensor) -> None:
        unknown = (text != 0) & ~found.any(-1)
        if bool(unknown.any()):
            characters = decode(text[unknown].unique().unsqueeze(0))[0]
            raise ValueError(
                f"the model never saw {', '.join(map(repr, characters))}: write texts of the "
                f"characters {self.alphabet!r}"
            )
        if text.ndim != 2 or bool((text[:, :1] == 0).any()) or not text.shape[-1]:
            raise ValueError(
                f"expected texts (B, U) of one character or more, found shape {tuple(text.shape)}"
                + (" with an empty text" if text.ndim == 2 else "")
            )

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        h, state, _ = self._run(x, state)
        return h, state

    def trace(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State, Tensor]:
        """Run as :meth:`forward` does, and also return what the window shows.

        Returns:
            h ``(B, T, H)``, the state after step T, and phi ``(B, T, U)``.
        """
        h, state, shown = self._run(x, state)
        return h, state, torch.stack(shown, dim=1)

    def _run(self, x: Tensor, state: State | None) -> tuple[Tensor, State, list[Tensor]]:
        """Run over x, and return what the window shows at each step, (B, U), as well."""
        self._check_inputs(x)
        before = self._checked(state, x.shape[0])
        places = self._places(before.text.shape[1])
        h, c = before.hidden[:, 0], before.cell[:, 0]
        place, window = before.place, before.window
        first: list[Tensor] = []
        windows: list[Tensor] = []
        shown: list[Tensor] = []
        for step in x.unbind(1):
            h, c = self.first(torch.cat((step, window), dim=-1), (h, c))
            out = clip_gradient(h, self.clip)
            phi, place = self._phi(out, place, places)
            window = torch.bmm(phi.unsqueeze(1), before.text).squeeze(1)
            first.append(self.dropout(out))
            windows.append(window)
            shown.append(phi)
        below = torch.stack(first, dim=1)  # (B, T, hidden)
        seen = torch.cat((x, torch.stack(windows, dim=1)), dim=-1)  # (B, T, X + A)
        outputs, hidden, cell = [below], [h], [c]
        for i, layer in enumerate(self.above, start=1):
            given = before.hidden[:, i], before.cell[:, i]
            below, (h, c) = run_lstm(layer, torch.cat((below, seen), dim=-1), given)
            below = self.dropout(clip_gradient(below, self.clip))
            outputs.append(below)
            hidden.append(h)
            cell.append(c)
        after = _State(
            torch.stack(hidden, dim=1), torch.stack(cell, dim=1), place, window, before.text
        )
        return torch.cat(outputs, dim=-1), tuple(after), shown

    def finished(self, state: State) -> Tensor:
        now = self._checked(state, state[0].shape[0])
        text = now.text
        lengths = text.sum((1, 2)).long()  # (B,)
        alpha, beta, _ = self.window(now.hidden[:, 0]).chunk(3, dim=-1)
        distance = self._distance(now.place, self._places(text.shape[1] + 1))
        # In log space: what is shown far from all characters rounds to 0 and would say nothing.
        shown = (alpha.unsqueeze(-1) - beta.exp().unsqueeze(-1) * distance).logsumexp(1)
        behind = shown.gather(1, lengths.unsqueeze(1)).squeeze(1)
        inside = torch.arange(text.shape[1], device=shown.device) < lengths.unsqueeze(1)
        return behind > shown[:, :-1].where(inside, -math.inf).amax(1)

    def _places(self, count: int) -> Tensor:  # (U,)
        weight = self.window.weight
        return torch.arange(1, count + 1, dtype=weight.dtype, device=weight.device)

    @staticmethod
    def _distance(place: Tensor, places: Tensor) -> Tensor:  # (B, M), (U,) -> (B, M, U)
        return (place.unsqueeze(-1) - places).square()

    def _phi(self, h: Tensor, place: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is shown of each place, (B, U), and where the windows are now, (B, M)."""
        alpha, beta, step = self.window(h).exp().chunk(3, dim=-1)
        place = place + step
        shown = torch.exp(-beta.unsqueeze(-1) * self._distance(place, places))
        return torch.bmm(alpha.unsqueeze(1), shown).squeeze(1), place

    def _checked(self, state: State | None, batch: int) -> _State:
        if state is None:
            raise ValueError(
                "this backbone reads a text: begin its state with begin(text), or give the data's "
                "texts (--data.text true)"
            )
        layers = (batch, 1 + len(self.above), self.hidden)
        expected = [layers, layers, (batch, self.windows), (batch, len(self.alphabet))]
        found = [tuple(part.shape) for part in state]
        if len(found) != 5 or found[:4] != expected or found[4][::2] != (batch, expected[3][1]):
            text = f"(B, U, {len(self.alphabet)})"
            raise ValueError(
                f"state must hold 5 tensors of shape {expected} and {text}, found {found}"
            )
        return _State(*state)
