"""The memory of a world model: what an environment shows, rewards and ends next."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from seqmdn.backbones import Backbone, LSTMBackbone
from seqmdn.data import Batch, Partial, Standardise, Transform
from seqmdn.heads import JointHead, MixtureHead, ProductHead
from seqmdn.models.sequence import SequenceModel

__all__ = ["WorldModel"]


class WorldModel(SequenceModel):
    r"""The exact density of an environment's next latents, reward and end, given what was done.

    .. math:: \log p(y_{1:T} | a_{1:T}) = \sum_t \log p(z_t | h_t) + \log p(r_t | h_t)
        + \log P(e_t | h_t)

    A frame y is [z (L), r, e]: the latents of what is seen, the reward on arriving there, and a bit
    that says whether the episode ended with it. The context is the action before each frame. Where
    the data hold latents alone, y = z, and this is the :class:`SequenceModel` with the same
    arguments, bit for bit.

    All three see one h; given h they are independent, over time they are not. A sequence that is
    drawn ends by itself with its bit.

    Args:
        features: Number of features D of a frame: L, or L + 2.
        context: Number of features X of an action.
        latents: Number L of latents.
        backbone: Makes the backbone from its number of inputs.
        head: Makes the head of the latents from (L, H).
        reward: Makes the head of the reward from (1, H).
        transform: Makes the reversible transform of the latents from L; a reward is standardised.
        truncate: See :class:`SequenceModel`.

    Raises:
        ValueError: If the frames are not of such a kind, and what :class:`SequenceModel` raises.

    References:
        World Models (Ha, Schmidhuber, 2018).

    Example:
        >>> import torch
        >>> model = WorldModel(features=6, context=3, latents=4)
        >>> frames = torch.cat((torch.randn(2, 10, 5), torch.zeros(2, 10, 1)), dim=-1)
        >>> batch = Batch(frames, torch.tensor([10, 7]), context=torch.zeros(2, 10, 3))
        >>> {name: found.shape for name, found in model.part_log_prob(batch).items()}
        {'latents': torch.Size([2, 10]), 'reward': torch.Size([2, 10]), 'end': torch.Size([2, 10])}
        >>> model.latents(frames).shape, model.reward(frames).shape
        (torch.Size([2, 10, 4]), torch.Size([2, 10]))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        latents: int,
        backbone: Callable[[int], Backbone] = LSTMBackbone,
        head: Callable[[int, int], nn.Module] = MixtureHead,
        reward: Callable[[int, int], nn.Module] = MixtureHead,
        transform: Callable[[int], Transform] = Standardise,
        truncate: int | None = None,
    ) -> None:
        if latents < 1 or features not in (latents, latents + 2):
            raise ValueError(
                f"a world model of {latents} latents expected frames of {latents} features, or of "
                f"{latents + 2} with a reward and an end behind them, found {features}: say how "
                "many latents the data have, and mark no other end (--data.mark_end false)"
            )
        if features > latents:
            head = partial(
                JointHead,
                columns=latents + 1,
                continuous=partial(ProductHead, parts=[(latents, head), (1, reward)]),
            )
            rest = partial(Partial, columns=1)  # the reward, and not the bit behind it
            transform = partial(Partial, transform=transform, columns=latents, rest=rest)
        super().__init__(features, context, backbone, head, transform, truncate=truncate)
        self.columns = latents

    @property
    def rewarded(self) -> bool:
        """Whether a reward and an end stand behind the latents."""
        return self.features > self.columns

    def part_log_prob(self, batch: Batch) -> dict[str, Tensor]:
        """Return the log-density of each part of every frame given the frames before it, in nats.

        In the data's units, like their sum, :meth:`frame_log_prob`: that of the latents can be
        compared with that of a model of latents alone.

        Args:
            batch: B sequences of at most T frames.

        Returns:
            Of "latents" and, where the data have them, of "reward" and "end" ``(B, T)``, 0 at
            frames that do not count.
        """
        if not self.rewarded:
            return {"latents": self.frame_log_prob(batch)}
        density, (z, ladj, *_) = self._predict(batch)
        latents, reward = density.continuous.log_probs(z[..., : self.columns + 1])
        of_reward = self._of_reward()
        parts = {
            "latents": latents + (ladj - of_reward),
            "reward": reward + of_reward,
            "end": density.bits.log_prob(z[..., self.columns + 1 :]),
        }
        return {name: found.where(batch.mask(), 0) for name, found in parts.items()}

    def parts(self) -> dict[str, Callable[[Batch], Tensor]]:
        if not self.rewarded:
            return {}

        def of(name: str) -> Callable[[Batch], Tensor]:
            return lambda batch: self.part_log_prob(batch)[name]

        return {name: of(name) for name in ("latents", "reward", "end")}

    def latents(self, frame: Tensor) -> Tensor:
        """Return the latents ``(..., L)`` of frames ``(..., D)``."""
        return frame[..., : self.columns]

    def reward(self, frame: Tensor) -> Tensor | None:
        """Return the rewards ``(...)`` of frames ``(..., D)``, None where the data have none."""
        return frame[..., self.columns] if self.rewarded else None

    def _of_reward(self) -> float:
        """Return the log-determinant of what standardises a reward."""
        assert isinstance(self.transform, Partial)
        ladj = self.transform.rest.ladj()
        assert ladj is not None
        return ladj
