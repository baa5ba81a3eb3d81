"""Infinity in PyTorch, for trainings that want millions of samples and a GPU.

Modules are named like those of `src/model` and `src/train`, parameters like the tensors of a checkpoint. Schedules, captions,
vocabulary and initial values come from the `infinity` command; nothing of that is written a second time here.
"""
