"""What ``seqmdn sample`` shows beside sequences: frames, surprise, densities, completions."""

import argparse

from seqmdn.drawings import save_single_frames
from seqmdn.plotting import (
    check_ending,
    save_completions,
    save_conditional,
    save_functions,
    save_surprise,
)
from seqmdn.runs import (
    Run,
    draw_frames,
    look_completions,
    look_conditional,
    look_functions,
    look_surprise,
    reconstruct_frames,
)

__all__ = ["SHOWN", "show_frames"]


def show_frames(options: argparse.Namespace, parser: argparse.ArgumentParser, run: Run) -> None:
    """Write single frames, which only some options are for."""
    others = _others(
        options, parser, {"run", "num", "out", "split", "show", "alone", "seed", "data"}
    )
    if options.show not in ("drawn", "reconstructed"):
        others.append(f"--show {options.show}")
    if others:
        raise ValueError(
            f"expected no {others[0]} for a model of single frames, found it: leave it out"
        )
    if options.show == "reconstructed":
        made, real = reconstruct_frames(run, options.num, options.split)
    else:
        made, real = draw_frames(run, options.num, options.split, options.seed)
    rows = {options.show: made} if options.alone else {"real": real, options.show: made}
    save_single_frames(options.out, rows, run.data.store)
    print(f"{options.num} frames, {options.show}: {options.out}")


def _surprise(options: argparse.Namespace, parser: argparse.ArgumentParser, run: Run) -> None:
    """Show real images above what the model needs for their pixels."""
    check_ending(options.out)
    if others := _others(options, parser, {"run", "num", "out", "split", "show", "data"}):
        raise ValueError(
            f"expected no {others[0]} where the surprise of real images is shown, found it: leave "
            "it out"
        )
    found = look_surprise(run, options.num, options.split)
    of = "each pixel" if found.exact else f"each {found.step}, a mean over its pixels"
    title = f"{options.run.resolve().name}: nats of {of}, given all before it"
    save_surprise(
        options.out, found.images.numpy(), found.nats.numpy(), run.data.store.attributes, title
    )
    print(f"{options.num} images above the nats of {of}: {options.out}")


def _conditional(options: argparse.Namespace, parser: argparse.ArgumentParser, run: Run) -> None:
    """Show the density of a regression's target along its input."""
    check_ending(options.out)
    if others := _others(options, parser, {"run", "out", "split", "show", "data"}):
        raise ValueError(
            f"expected no {others[0]} where a density is shown along an input, found it: leave it "
            "out"
        )
    found = look_conditional(run, split=options.split)
    save_conditional(
        options.out,
        found.x,
        found.y,
        found.density,
        found.rows,
        found.names,
        found.unit,
        f"{options.run.resolve().name}: density of {found.names[1]} given {found.names[0]}, "
        "relative to the highest of each",
        mean=found.mean,
        modes=found.modes,
    )
    print(f"density along {len(found.x)} inputs: {options.out}")


def _functions(options: argparse.Namespace, parser: argparse.ArgumentParser, run: Run) -> None:
    """Show the densities of functions along their input, given some of their points."""
    check_ending(options.out)
    if others := _others(options, parser, {"run", "out", "split", "show", "data", "num"}):
        raise ValueError(
            f"expected no {others[0]} where functions are shown, found it: leave it out"
        )
    found = look_functions(run, options.num, split=options.split)
    save_functions(
        options.out,
        found.x,
        found.y,
        found.density,
        found.given,
        found.asked,
        found.names,
        found.unit,
        f"{options.run.resolve().name}: density of {found.names[1]} along {found.names[0]}, given "
        "some points, relative to the highest of each",
    )
    print(f"densities of {options.num} functions: {options.out}")


def _completions(options: argparse.Namespace, parser: argparse.ArgumentParser, run: Run) -> None:
    """Show what a model expects of images of which it is given some pixels."""
    check_ending(options.out)
    known = {"run", "out", "split", "show", "data", "num", "seed", "chain"}
    if others := _others(options, parser, known):
        raise ValueError(
            f"expected no {others[0]} where completions are shown, found it: leave it out"
        )
    found = look_completions(run, options.num, options.split, options.seed, options.chain or None)
    rows = {
        f"{name}:": {key: values.numpy() for key, values in each._asdict().items()}
        for name, each in found.of.items()
    }
    title = f"{options.run.resolve().name}: given pixels, and what is expected of the others"
    save_completions(options.out, found.images.numpy(), rows, run.data.store.attributes, title)
    print(f"completions of {options.num} images: {options.out}")


def _others(
    options: argparse.Namespace, parser: argparse.ArgumentParser, known: set[str]
) -> list[str]:
    """Name the options that are given, and not among those that are heard."""
    return [
        f"--{name}"
        for name, value in vars(options).items()
        if name not in known and value != parser.get_default(name)
    ]


# What is shown of a run that is no sequence drawn from it.
SHOWN = {
    "completions": _completions,
    "conditional": _conditional,
    "functions": _functions,
    "surprise": _surprise,
}
