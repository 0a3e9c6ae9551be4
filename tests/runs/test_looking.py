"""What a model saw and expected along a sequence."""

from pathlib import Path

import pytest
import torch

from seqmdn.data import encode
from seqmdn.runs import Run, draw, load_run, look_along
from tests.pens import write_pen_recipe, write_pens
from tests.small import train, write_recipe, write_store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pens")
    recipe = write_pen_recipe(folder / "recipe", write_pens(folder / "pens.h5"))
    return train(recipe, folder / "run")


def test_densities_and_weights_are_those_of_a_draw_step_by_step(run: Run) -> None:
    drawn, _ = draw(run, num=3, text=["ab", "b", "bab"], length=7)
    found = look_along(run, drawn, index=2)
    assert found.text == "bab" and found.weights is not None
    length = int(drawn.lengths[2])
    assert found.frames.shape == (length, 3) and found.weights.shape == (length, 3)
    offsets = found.frames[:, :2]
    densities = found.density.log_prob(offsets.unsqueeze(0))[0]
    model, previous, state = run.model, None, run.model.begin(encode(["bab"]))
    ladj = model.transform.ladj()
    with torch.no_grad():
        for t in range(length):
            distribution, state = model.step(previous, state=state)
            mark = torch.tensor([float(t == length - 1)])
            frame = torch.cat((found.frames[t], mark)).unsqueeze(0)
            previous = model.transform.call_and_ladj(frame)[0]
            expected = distribution.continuous.log_prob(previous[:, :2]) + ladj
            torch.testing.assert_close(densities[t : t + 1], expected, rtol=1e-4, atol=1e-4)
            # The window at a step is that which its state keeps.
            window = (found.weights[t].unsqueeze(-1) * state[4][0]).sum(0)
            torch.testing.assert_close(window, state[3][0], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_followed_is_refused(run: Run, tmp_path: Path) -> None:
    primed, _ = draw(run, num=2, prime=2)
    with pytest.raises(ValueError, match="leave out the style or the prime"):
        look_along(run, primed)
    store = write_store(tmp_path / "walks.h5")
    train(write_recipe(tmp_path / "recipe", store), tmp_path / "run", "--trainer.max_steps=2")
    other = load_run(tmp_path / "run")
    with pytest.raises(ValueError, match="only a model with a StrokeHead"):
        look_along(other, draw(other, num=2)[0])
