"""Measure the flows: `python -m benchmarks.flows [--write]`.

Two tables in one: a head with a flow against the mixture alone, and ours against zuko's own flows
with a mixture base doing the same work. `--write` puts them into benchmarks/README.md as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
import zuko
from torch import Tensor, nn

from benchmarks.density import hardware
from benchmarks.measure import Comparison, Work, compare, profiled
from benchmarks.readme import put
from seqmdn.distributions import Flowed
from seqmdn.flows import AffineCoupling, MaskedAutoregressive, SplineCoupling
from seqmdn.heads import FlowMixtureHead, MixtureHead

BEGIN, END = "<!-- begin: python -m benchmarks.flows -->", "<!-- end: benchmarks.flows -->"
HEADER = "| work | against | ours ms | theirs ms | ours by theirs | the same, processor | target |"

FRAMES, FEATURES, HIDDEN, COMPONENTS, RANK, DRAWS = 2000, 32, 256, 5, 2, 10
SPLINE_MASKED = partial(MaskedAutoregressive, univariate="spline")


@dataclass(frozen=True)
class Row:
    """One line of the table: ours takes at most so many times as long as theirs."""

    name: str
    against: str
    target: float
    make: Callable[[], tuple[Work, Work]]


def nll(head: nn.Module) -> Work:
    """Return the mean negative log-likelihood of frames given h, with all its gradients."""
    torch.manual_seed(0)
    h = torch.randn(FRAMES, HIDDEN, requires_grad=True)
    values = torch.randn(FRAMES, FEATURES)
    return _with_gradients(head, h, lambda: -head(h).log_prob(values).mean())


def density(head: MixtureHead) -> Work:
    """Return the same from the mixture's parameters: without the projection that makes them."""
    torch.manual_seed(0)
    h, values = torch.randn(FRAMES, HIDDEN), torch.randn(FRAMES, FEATURES)
    given = h if getattr(head, "conditional", False) else None
    with torch.no_grad():
        raw = head.projection(h)
    raw.requires_grad_()

    class Given(nn.Module):
        def forward(self, _: Tensor) -> Tensor:
            return raw

    head.projection = Given()
    flow = getattr(head, "flow", None)

    def loss() -> Tensor:
        made = MixtureHead.forward(head, h)
        if flow is not None:
            made = Flowed(made, flow(given))
        return -made.log_prob(values).mean()

    return _with_gradients(head, raw, loss)


def draws(head: nn.Module) -> Work:
    """Return draws of one distribution for each of the contexts."""
    torch.manual_seed(0)
    with torch.no_grad():
        made = head(torch.randn(FRAMES, HIDDEN))
    return lambda: made.sample((DRAWS,))


def mixture(**options: object) -> MixtureHead:
    """Return a head: the mixture alone, or behind a flow."""
    torch.manual_seed(0)
    kind = FlowMixtureHead if "flow" in options else MixtureHead
    return kind(FEATURES, HIDDEN, components=COMPONENTS, covariance="lowrank", rank=RANK, **options)


class ZukoMixture(nn.Module):
    """A flow of zuko's on h, its base a mixture of diagonal Gaussians that is affine in h."""

    def __init__(self, flow: type[nn.Module], **options: object) -> None:
        super().__init__()
        self.flow = flow(FEATURES, HIDDEN, transforms=2, activation=nn.LeakyReLU, **options)
        self.flow.base = zuko.mixtures.GMM(
            FEATURES, HIDDEN, COMPONENTS, covariance_type="diagonal", hidden_features=[]
        )

    def forward(self, h: Tensor) -> torch.distributions.Distribution:
        """Return the density of frames given h."""
        return self.flow(h)


def diagonal(flow: Callable[[int, int], nn.Module]) -> FlowMixtureHead:
    """Return ours of the same form."""
    return FlowMixtureHead(FEATURES, HIDDEN, flow, conditional=True, components=COMPONENTS)


def beside_zuko(
    ours: Callable[[int, int], nn.Module], theirs: type[nn.Module], hidden: int
) -> tuple[Work, Work]:
    """Return the mean NLL of the same frames given h by both, with all gradients."""
    torch.manual_seed(0)
    return nll(diagonal(ours)), nll(ZukoMixture(theirs, hidden_features=[64] * hidden))


def _with_gradients(model: nn.Module, inputs: Tensor, loss: Callable[[], Tensor]) -> Work:
    def work() -> None:
        loss().backward()
        inputs.grad = None
        for parameter in model.parameters():
            parameter.grad = None

    return work


def _against_mixture(work: Callable[[MixtureHead], Work], **options: object) -> Callable:
    return lambda: (work(mixture(**options)), work(mixture()))


FLOWS: dict[str, tuple[Callable[..., nn.Module], bool]] = {
    "affine coupling": (AffineCoupling, False),
    "affine coupling, on h": (AffineCoupling, True),
    "spline coupling": (SplineCoupling, False),
    "spline coupling, on h": (SplineCoupling, True),
    "autoregressive": (MaskedAutoregressive, False),
    "autoregressive spline": (SPLINE_MASKED, False),
}
WIDTHS = {"hidden_features": [64, 64]}
ROWS = [
    *(
        Row(f"{name}: NLL of h", "the mixture", 2.0, _against_mixture(nll, flow=f, conditional=c))
        for name, (f, c) in FLOWS.items()
    ),
    *(
        Row(
            f"{name}: NLL of the mixture's parameters",
            "the mixture",
            2.0,
            _against_mixture(density, flow=f, conditional=c),
        )
        for name, (f, c) in FLOWS.items()
    ),
    *(
        Row(f"{name}: draws", "the mixture", 3.0, _against_mixture(draws, flow=f, conditional=c))
        for name, (f, c) in FLOWS.items()
        if "coupling" in name
    ),
    Row(
        "affine coupling, on h: NLL of h",
        "`zuko.flows.NICE` with a `GMM`",
        1.0,
        lambda: beside_zuko(AffineCoupling, zuko.flows.NICE, hidden=3),
    ),
    Row(
        "autoregressive, on h: NLL of h",
        "`zuko.flows.MAF` with a `GMM`",
        1.0,
        lambda: beside_zuko(MaskedAutoregressive, zuko.flows.MAF, hidden=2),
    ),
    Row(
        "autoregressive spline, on h: NLL of h",
        "`zuko.flows.NSF` with a `GMM`",
        1.0,
        lambda: beside_zuko(SPLINE_MASKED, zuko.flows.NSF, hidden=2),
    ),
]


def measure(rows: Iterable[Row], repeats: int) -> list[str]:
    """Return the lines of the table, printing each as it is measured."""
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines), flush=True)
    for row in rows:
        lines.append(line(row, compare(*row.make(), repeats)))
        print(lines[-1], flush=True)
    return lines


def line(row: Row, found: Comparison) -> str:
    """Return one line of the table."""
    cells = [
        row.name,
        row.against,
        f"{1e3 * found.ours_processor:.1f}",
        f"{1e3 * found.theirs_processor:.1f}",
        f"{1 / found.ratio:.2f}",
        f"{1 / found.ratio_processor:.2f}",
        f"≤ {row.target:g}",
    ]
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="pairs of measurements a row")
    parser.add_argument("--rows", type=int, nargs="+", help="numbers of the rows, from 0")
    parser.add_argument("--profile", type=int, metavar="ROW", help="say where our time goes")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    machine = hardware()
    if options.profile is not None:
        print(machine, profiled(ROWS[options.profile].make()[0]), sep="\n\n")
        return
    print(machine, end="\n\n")
    chosen = [ROWS[i] for i in options.rows] if options.rows else ROWS
    lines = measure(chosen, options.repeats)
    if options.write:
        table = "\n".join([machine, f"One thread, {options.repeats} pairs a row.", "", *lines])
        put(BEGIN, END, table)


if __name__ == "__main__":
    main()
