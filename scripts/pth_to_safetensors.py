#!/usr/bin/env python3
"""Turns a checkpoint that torch.save wrote into a safetensors file, which `vernier import-weights` reads.

Needs PyTorch and its package safetensors (pip install torch safetensors). The checkpoint is read as data: it cannot run
code. Tensors keep their names and types; `vernier import-weights` does the rest.
"""

import argparse
import os
import sys
from pathlib import Path

# What training scripts wrap the weights in.
WRAPPERS = ("state_dict", "model", "model_state", "model_state_dict", "state_dict_ema", "net")


class Refusal(Exception):
    """The message is for a person: what, and a help."""


def unwrap(checkpoint, key):
    """The dictionary of tensors within a checkpoint."""
    if key is not None:
        for part in key.split("."):
            if not isinstance(checkpoint, dict) or part not in checkpoint:
                raise Refusal(f"the checkpoint has no `{part}`\nhelp: it has {describe(checkpoint)}")
            checkpoint = checkpoint[part]
    else:
        while isinstance(checkpoint, dict):
            inner = [name for name in WRAPPERS if isinstance(checkpoint.get(name), dict)]
            if not inner:
                break
            checkpoint = checkpoint[inner[0]]
    return checkpoint


def describe(checkpoint):
    if not isinstance(checkpoint, dict):
        return f"a {type(checkpoint).__name__}"
    names = [f"`{name}`" for name in checkpoint]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "nothing"


def tensors_of(state, torch):
    """Tensors that share no memory, each contiguous."""
    if not isinstance(state, dict):
        raise Refusal(f"the checkpoint holds {describe(state)}, not weights by name\n"
                      "help: it may be a whole model; save its state_dict()")
    tensors = {name: value.detach().cpu() for name, value in state.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise Refusal(f"there is no tensor in the checkpoint\nhelp: it has {describe(state)}; say where with --key")
    return {name: value.contiguous().clone() for name, value in tensors.items()}


def convert(source, target, key):
    try:
        import torch
        from safetensors.torch import save_file
    except ImportError as error:
        raise Refusal(f"{error.name} is not installed\nhelp: pip install torch safetensors") from None
    try:
        checkpoint = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise Refusal(f"cannot open the file: {error.strerror}") from None
    except Exception:  # whatever the reader of pickles makes of a damaged file
        raise Refusal("not a checkpoint of PyTorch, or one that holds more than data\n"
                      "help: of a whole model, save its state_dict()") from None
    tensors = tensors_of(unwrap(checkpoint, key), torch)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part)
        os.replace(part, target)
    except OSError as error:
        raise Refusal(f"cannot write {target}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    print(f"{target}: {len(tensors)} tensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="what torch.save wrote (.pth, .pt, .tar)")
    parser.add_argument("output", type=Path, help="the safetensors file")
    parser.add_argument("--key", help="where in the checkpoint the weights are, such as state_dict; found otherwise")
    options = parser.parse_args()
    try:
        convert(options.checkpoint, options.output, options.key)
    except Refusal as refusal:
        what, _, rest = str(refusal).partition("\n")
        sys.exit("\n".join(filter(None, (f"error: {what}", f"  --> {options.checkpoint}", rest))))


if __name__ == "__main__":
    main()
