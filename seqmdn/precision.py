"""Which precision a training computes in: what Lightning offers, and half precision on a CPU."""

from collections.abc import Mapping
from typing import Any

from lightning.fabric.utilities.device_parser import _select_auto_accelerator
from lightning.pytorch.plugins import MixedPrecision, Precision

__all__ = ["precision_options"]


def precision_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[Precision]]:
    """Return a trainer's options, and the plugins that stand for its precision.

    On a CPU, Lightning takes bfloat16 where ``16-mixed`` is asked for. PyTorch has float16 there as
    well, and what was asked for is what is computed: linear layers in float16, the loss scaled so
    that small gradients do not become 0, and steps left out whose scaled gradients overflow. It is
    there to try on a CPU what will run on a GPU, and is no faster.

    Args:
        options: Arguments of a Lightning ``Trainer``.

    Returns:
        The options without a precision that plugins stand for, and these.

    Example:
        >>> options, plugins = precision_options({"precision": "16-mixed", "accelerator": "cpu"})
        >>> options, [plugin.precision for plugin in plugins]
        ({'accelerator': 'cpu'}, ['16-mixed'])
        >>> precision_options({"precision": "bf16-mixed", "accelerator": "cpu"})
        ({'precision': 'bf16-mixed', 'accelerator': 'cpu'}, [])
    """
    accelerator = options.get("accelerator", "auto")
    if accelerator == "auto":
        accelerator = _select_auto_accelerator()
    # Lightning takes numbers and other spellings, too.
    half = str(options.get("precision")) in ("16-mixed", "16")
    if not half or accelerator != "cpu":
        return dict(options), []
    rest = {name: value for name, value in options.items() if name != "precision"}
    return rest, [MixedPrecision("16-mixed", "cpu")]
