"""The benchmark: both sides compute the same thing, and what it measures is what it says."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import (
    density,
    drawing,
    dreams,
    flows,
    measure,
    opponents,
    pixels,
    readme,
    streaming,
)
from benchmarks.measure import Comparison, compare, peak_memory

README = Path(density.__file__).with_name("README.md").read_text()


@pytest.mark.parametrize("sizes", [(20, 3, 5, 2), (20, 3, 32, 4)])
@pytest.mark.parametrize("other", [opponents.dense_precision, opponents.plain])
def test_opponents_of_low_rank_compute_what_ours_does(sizes: tuple, other: density.Density) -> None:
    made, value = opponents.parameters(*sizes), torch.randn(sizes[0], sizes[2])
    torch.testing.assert_close(
        other(made, value), opponents.ours(made, value), rtol=1e-4, atol=1e-3
    )


def test_the_diagonal_opponent_computes_what_ours_does() -> None:
    made, value = opponents.parameters(20, 3, 5, 0), torch.randn(20, 5)
    inverted = made | {"diagonal": made["diagonal"].pow(-2)}
    torch.testing.assert_close(
        opponents.independent(made, value), opponents.ours(inverted, value), rtol=1e-4, atol=1e-4
    )


def test_the_bivariate_opponents_are_the_same_density() -> None:
    made, value = opponents.parameters(20, 3, 2, 1), torch.randn(20, 2)
    deviations = made["diagonal"]
    correlation = torch.tanh(made["factor"][..., 0, 0])
    # The triangle of [[s^2, r s t], [r s t, t^2]].
    below = correlation * deviations[..., 1]
    rest = deviations[..., 1] * (1 - correlation.square()).sqrt()
    triangle = made | {
        "diagonal": torch.stack([deviations[..., 0], rest], dim=-1),
        "factor": below[..., None, None],
    }
    torch.testing.assert_close(
        opponents.bivariate(made, value), opponents.triangular(triangle, value)
    )


def test_times_are_medians_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Wall and processor, of ours and theirs by turns; the machine slows down in the second pair.
    clock = iter([(1.0, 1.0), (4.0, 3.0), (10.0, 1.0), (20.0, 3.0), (1.0, 1.0), (3.0, 3.0)])
    calls: list[str] = []
    monkeypatch.setattr(measure, "_clock", lambda work: (work(), next(clock))[1])
    found = compare(lambda: calls.append("a"), lambda: calls.append("b"), repeats=3, scale=2.0)
    assert "".join(calls) == "ab" * 4
    assert (found.ours, found.theirs, found.ratio) == (1.0, 8.0, 6.0)
    assert (found.ours_processor, found.theirs_processor, found.ratio_processor) == (1.0, 6.0, 6.0)


def test_the_profile_names_operations_and_adds_up() -> None:
    tensor = torch.rand(200, 200)
    table = measure.profiled(lambda: (tensor @ tensor).exp(), repeats=3).splitlines()
    assert any(line.startswith("| aten::exp | 1 |") for line in table)
    assert table[-1].startswith("| all |") and table[-1].endswith("100% |")


def test_peak_memory_counts_what_is_held_at_one_time() -> None:
    kept = torch.zeros(500_000)

    def work() -> None:
        first = kept + 1  # 2 MB
        del first
        second = torch.cat([kept, kept])  # 4 MB
        third = second + 1  # 8 MB at one time
        del second, third

    assert peak_memory(work) == pytest.approx(8e6, rel=0.01)


def test_a_step_counts_up() -> None:
    line = density.line(density.ROWS[-3], 1, Comparison(0.3, 0.2, 0.3, 0.2, 0.2 / 0.3, 0.5), None)
    assert "| 300.0 | 200.0 | 1.50 | 2.00 | ≤ 1.25 |" in line
    assert line.count("|") == density.HEADER.count("|")


def test_the_readme_holds_every_row_of_the_last_run() -> None:
    table = README.split(density.BEGIN)[1].split(density.END)[0]
    assert "cores" in table and f"torch {torch.__version__.split('.')[0]}" in table
    for row in density.ROWS:
        pattern = rf"^\| {re.escape(row.name)} \| {re.escape(row.against)} \| [12] \|"
        assert len(re.findall(pattern, table, flags=re.M)) == 2, f"{row.name}, {row.against}"


def test_a_run_writes_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{density.BEGIN}\nold\n{density.END}\nafter\n")
    monkeypatch.setattr(density, "put", partial(readme.put, readme=copy))
    small = density.density_row((8, 2, 3, 1), "plain", opponents.plain, 2, memory=True)
    monkeypatch.setattr(density, "ROWS", [small])
    threads = torch.get_num_threads()
    try:
        density.main(["--repeats", "1", "--threads", "1", "--write"])
    finally:
        torch.set_num_threads(threads)
    text = copy.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| (8, 2, 3, 1) | plain | 1 |" in text
    assert "| (8, 2, 3, 1) | plain | 1 |" in capsys.readouterr().out


def test_zukos_side_computes_the_same_density_as_ours() -> None:
    theirs = flows.ZukoMixture(flows.zuko.flows.NICE, hidden_features=[64] * 3).double()
    ours = flows.diagonal(flows.AffineCoupling).double()
    for one, other in zip(ours.flow.transforms, theirs.flow.transform.transforms, strict=True):
        one.load_state_dict(other.state_dict())
    K, D = flows.COMPONENTS, flows.FEATURES
    (made,) = theirs.flow.base.hyper
    with torch.no_grad():
        # All deviations 1: ours come of a softplus, theirs of an exponential.
        made.weight[K + K * D :], made.bias[K + K * D :] = 0, 0
        ours.projection.weight.copy_(made.weight)
        ours.projection.bias.copy_(made.bias)
        one = torch.ones(K * D, dtype=torch.float64)
        ours.projection.bias[K + K * D :] = ours._before_positive(one)
    h = torch.randn(50, flows.HIDDEN, dtype=torch.float64)
    values = torch.randn(50, D, dtype=torch.float64)
    found, expected = ours(h).log_prob(values), theirs(h).log_prob(values)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_the_readme_holds_every_row_of_the_flows() -> None:
    table = README.split(flows.BEGIN)[1].split(flows.END)[0]
    for row in flows.ROWS:
        assert f"| {row.name} | {row.against} |" in table


def test_the_readme_holds_every_row_of_drawing() -> None:
    table = README.split(drawing.BEGIN)[1].split(drawing.END)[0]
    for row in drawing.rows():
        assert f"| {row.name} | {row.against} |" in table


def test_bare_loops_have_the_size_of_the_network_and_do_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "POINTS", 5)
    loops = [drawing.bare(8, 2, cells) for cells in (False, True)]
    own = drawing.model(8, 2)
    weights = sum(p.numel() for p in own.parameters()) - own.start.numel()
    assert [sum(p.numel() for p in loop.parameters()) for loop in loops] == [weights] * 2
    assert loops[0].lstm is not None and loops[1].cells is not None
    for layer, cell in enumerate(loops[1].cells):
        for name, parameter in cell.named_parameters():
            parameter.data.copy_(loops[0].lstm.get_parameter(f"{name}_l{layer}"))
    loops[1].output.load_state_dict(loops[0].output.state_dict())
    torch.testing.assert_close(loops[0](), loops[1]())
    assert drawing.drawing(own, 3)().values.shape == (3, 5, drawing.FEATURES)


def test_the_readme_holds_every_row_of_streaming() -> None:
    table = README.split(streaming.BEGIN)[1].split(streaming.END)[0]
    for name in streaming.HEADS:
        for loop in streaming.LOOPS:
            assert f"| {name} | bare `{loop}` and `nn.Linear` |" in table


@pytest.mark.parametrize("name", streaming.HEADS)
def test_streams_and_their_loops_have_one_size_and_draw_two_seconds(name: str) -> None:
    network = streaming.model(name, hidden=8)
    flow = sum(p.numel() for key, p in network.named_parameters() if "flow" in key)
    weights = sum(p.numel() for p in network.parameters()) - network.start.numel() - flow
    assert (flow > 0) == name.startswith("FRMDN")
    for cells in (False, True):
        loop = streaming.bare(network, cells)
        assert sum(p.numel() for p in loop.parameters()) == weights
        assert loop.output.out_features == 20 * (1 + 2 * 200) and loop.steps == 160
    steps: list[int] = []
    handle = network.backbone.register_forward_hook(lambda *_: steps.append(1))
    streaming.streaming(network)()
    handle.remove()
    assert len(steps) * 200 == 2 * 16_000


def test_a_real_time_factor_is_sound_by_time() -> None:
    found = streaming.line("RMDN", "nn.LSTM", Comparison(0.5, 0.25, 0.5, 0.25, 0.5, 0.4))
    assert "| 3.12 | 1.56 | 2.00 | 2.50 | 4.0 | 8.0 |" in found
    assert found.count("|") == streaming.HEADER.count("|")


def test_the_readme_holds_every_memory_that_dreams() -> None:
    table = README.split(dreams.BEGIN)[1].split(dreams.END)[0]
    for name in dreams.HEADS:
        assert f"| {name} |" in table


@pytest.mark.parametrize("name", dreams.HEADS)
def test_dreams_go_on_from_step_to_step(name: str) -> None:
    dreamt = dreams.world(name, hidden=8)
    frames: list[int] = []
    dreamt.memory.backbone.register_forward_hook(lambda _, given, out: frames.append(len(out[0])))
    dreams.dreaming(dreamt, dreams=5, steps=3)()
    assert frames == [5] * 4, "the first frame and three more"


def test_latents_and_frames_are_those_of_a_second() -> None:
    found = dreams.line("RMDN, joint", Comparison(0.5, 128.0, 0.5, 128.0, 256.0, 250.0))
    assert "| 5.00 | 51,200 | 200 | 256 | 250 |" in found
    assert found.count("|") == dreams.HEADER.count("|")


def test_the_readme_holds_every_model_of_images() -> None:
    table = README.split(pixels.BEGIN)[1].split(pixels.END)[0]
    for name in pixels.MODELS:
        assert len(re.findall(rf"^\| {name} \|", table, flags=re.M)) == 2, name


def test_squared_errors_are_of_the_same_lstm_and_of_rows_not_seen() -> None:
    model = pixels.recipe("rmdn")
    plain = pixels.SquaredError(model)
    assert plain.layers.hidden_size == model.backbone.hidden == 256
    assert plain.layers.num_layers == len(model.backbone.layers)
    rows = torch.zeros(2, 28, 28, requires_grad=True)
    plain.guess(rows)[:, 5].sum().backward()
    assert rows.grad is not None and rows.grad[:, :5].abs().sum() > 0
    assert not rows.grad[:, 5:].any()
    ours, theirs = pixels.training(model, plain)
    before = model.head.projection.weight.clone()
    ours(), theirs()
    assert not torch.equal(model.head.projection.weight, before)


def test_another_squared_error_is_as_large_as_the_model() -> None:
    model = pixels.recipe("frmdn_maf")
    large = pixels.as_large(model)
    wider = pixels.SquaredError(model, large.layers.hidden_size + 1)
    count = pixels.parameters(model)
    assert pixels.parameters(large) <= count < pixels.parameters(wider)


def test_images_of_a_second_count_up() -> None:
    same = Comparison(0.128, 0.064, 0.128, 0.064, 0.5, 0.4)
    found = pixels.line("rmdn", 1234, same, Comparison(0.128, 0.1, 0.128, 0.1, 0.8, 0.625))
    assert found == "| rmdn | 1,234 | 128 | 500 | 2.00 | 2.50 | 1.25 | 1.60 | ≤ 1.5 |"
    assert found.count("|") == pixels.STEPS.count("|")
