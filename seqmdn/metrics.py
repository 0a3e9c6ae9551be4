"""Placeholder being replaced."""
import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
class NegativeLogLikelihood(Metric):
    full_state_update = False
    def __init__(self):
        super().__init__()
        self.add_state("scores", [], dist_reduce_fx="cat")
    def update(self, log_prob, size=1):
        self.scores.append(-log_prob.detach().double()/torch.as_tensor(size, device=log_prob.device))
    def values(self): return dim_zero_cat(self.scores)
    def compute(self): return self.values().mean()
    def stderr(self): return self.values().std()/len(self.values())**.5
