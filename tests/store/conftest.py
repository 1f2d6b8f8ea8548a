from __future__ import annotations

from hypothesis import settings

# The first example of a test may compile kernels.
settings.register_profile("compiling", deadline=None)
settings.load_profile("compiling")
