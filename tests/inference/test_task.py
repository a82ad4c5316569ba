import numpy as np

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.designs import task_json
from tradelift.inference import Randomization


def test_a_task_randomizes_its_design():
    panel = two_sided(seed=2)[0]
    design = tl.Gravity(outcome="log(trade)")
    task = Randomization(design=design, draws=19, seed=4, studentized=True, interval=False)
    found = task.estimate(panel)
    alone = tl.randomize(design, panel, draws=19, seed=4, studentized=True, interval=False)
    np.testing.assert_array_equal(found.draws, alone.draws)
    assert np.isnan(found.conf_low)
    refit = Randomization(design=design, scheme="free", draws=3, refit=True).estimate(panel)
    again = tl.randomize(design, panel, scheme="free", draws=3, refit=True)
    np.testing.assert_array_equal(refit.draws, again.draws)


def test_it_names_its_sample_as_the_estimate_does():
    panel = two_sided(seed=3, missing=0.15)[0]
    design = tl.Gravity(outcome="log(trade)", direction="west->east")
    found, estimate = Randomization(design=design, scheme="free", draws=9).estimate(panel), design.estimate(panel)
    for name in ("design", "outcome", "direction", "sample", "n_obs", "n_pairs"):
        assert getattr(found, name) == getattr(estimate, name)
    assert found.se_type == "randomization (free)"


def test_equal_tasks_and_no_others_have_the_same_text():
    task = Randomization(design=tl.Gravity())
    assert task_json(task) == task_json(Randomization(design=tl.Gravity(), seed=1))
    others = [
        tl.Gravity(),
        Randomization(design=tl.Gravity(direction="west->east")),
        Randomization(design=tl.Gravity(), seed=2),
        Randomization(design=tl.Gravity(), draws=99),
        Randomization(design=tl.Gravity(), scheme="swap"),
        Randomization(design=tl.Gravity(), interval=False),
    ]
    assert len({task_json(x) for x in (task, *others)}) == 1 + len(others)
