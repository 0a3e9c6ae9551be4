"""What a neural process asks of its encoder: what is known of each point, and of the whole task."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = [
    "TaskEncoder",
    "check_heads",
    "check_sizes",
    "last_given",
    "mean_of_given",
    "perceptron",
]


class TaskEncoder(nn.Module, ABC):
    """A network of sets: what it says of a point follows from the given points and the point's x.

    ``forward(x, y, given, present)`` takes the inputs ``(B, T, X)`` and outputs ``(B, T, D)`` of
    the points of B tasks, which of them are given and which are no padding, both boolean
    ``(B, T)``. It returns h ``(B, T, H)`` of every point and one vector ``(B, G)`` of every task.

    - The order of the given points does not matter, that of the others is the order of their h.
    - Points that are not given tell nothing of each other or of the task, their own y is not read.
    - Padding may hold anything, NaN included, and changes neither a value nor a gradient.
    - With no point given, h says what is known of x before anything was seen.

    Args:
        inputs: X, at least 1.
        outputs: D, at least 1.

    Attributes:
        features: H.
        task_features: G.
    """

    features: int
    task_features: int

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        check_sizes(inputs=inputs, outputs=outputs)
        self.inputs = inputs
        self.outputs = outputs

    def forward(
        self, x: Tensor, y: Tensor, given: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what is known of every point ``(B, T, H)`` and of every task ``(B, G)``.

        Args:
            x: Inputs of the points ``(B, T, X)``.
            y: Their outputs ``(B, T, D)``, read where they are given.
            given: Which points are given, boolean ``(B, T)``.
            present: Which points are no padding, boolean ``(B, T)``.

        Raises:
            ValueError: If a shape does not fit.
        """
        size = x.shape[:-1]
        if x.ndim != 3 or x.shape[-1] != self.inputs or y.shape != (*size, self.outputs):
            raise ValueError(
                f"expected x of shape (B, T, {self.inputs}) and y of (B, T, {self.outputs}), found "
                f"{tuple(x.shape)} and {tuple(y.shape)}"
            )
        if given.shape != size or present.shape != size:
            raise ValueError(
                f"expected given and present of shape {tuple(size)}, found {tuple(given.shape)} "
                f"and {tuple(present.shape)}"
            )
        given = given & present
        # What must not be read is replaced before any arithmetic: NaN times 0 is NaN.
        x, y = x.where(present.unsqueeze(-1), 0), y.where(given.unsqueeze(-1), 0)
        return self._encode(x, y, given)

    def read_task(self, read: bool) -> None:
        """Say whether the task's vector is read: what only that needs is trained, or frozen.

        A weight that never has a gradient would be waited for where several processes train.
        """

    @abstractmethod
    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Encode points whose y is 0 where it is not given, and whose padding is 0."""


def perceptron(inputs: int, hidden: int, layers: int, outputs: int) -> nn.Sequential:
    """Make linear layers with SiLU between them: ``layers`` of width ``hidden``, and one more.

    Example:
        >>> import torch
        >>> perceptron(3, 16, layers=1, outputs=2)(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """
    parts: list[nn.Module] = []
    for i in range(layers):
        parts += [nn.Linear(hidden if i else inputs, hidden), nn.SiLU()]
    return nn.Sequential(*parts, nn.Linear(hidden if layers else inputs, outputs))


def mean_of_given(r: Tensor, given: Tensor, nothing: Tensor) -> Tensor:
    """Return the mean ``(B, G)`` over the given points of each task, or what stands for none.

    Args:
        r: Of each point ``(B, T, G)``.
        given: Which of them are given, boolean ``(B, T)``.
        nothing: Takes the place of the mean where no point is given ``(G,)``.

    Example:
        >>> import torch
        >>> r = torch.tensor([[[1.0], [3.0], [9.0]], [[5.0], [5.0], [5.0]]])
        >>> given = torch.tensor([[True, True, False], [False, False, False]])
        >>> mean_of_given(r, given, torch.tensor([7.0]))
        tensor([[2.],
                [7.]])
    """
    count = given.sum(1, keepdim=True)  # (B, 1)
    mean = r.where(given.unsqueeze(-1), 0).sum(1) / count.clamp(min=1)
    return mean.where(count > 0, nothing.to(mean))


def last_given(given: Tensor) -> int:
    """Return how many points, from the first on, hold all that are given of any task.

    Args:
        given: Which points are given, boolean ``(B, T)``.

    Example:
        >>> import torch
        >>> last_given(torch.arange(7) < torch.tensor([[3], [0], [5]]))
        5
        >>> last_given(torch.zeros(2, 7, dtype=torch.bool))
        0
    """
    places = given.any(0).nonzero()
    return int(places.max()) + 1 if len(places) else 0


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1, by their names.

    Raises:
        ValueError: If one is.

    Example:
        >>> check_sizes(hidden=8)
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")


def check_heads(features: int, heads: int) -> None:
    """Refuse heads of an attention that cannot share its features evenly.

    Raises:
        ValueError: If they cannot.

    Example:
        >>> check_heads(features=16, heads=4)
    """
    check_sizes(heads=heads)
    if features % heads:
        raise ValueError(f"heads must divide the {features} features, found {heads}")
