"""The page of an evaluation: from the plain values of ``metrics.json`` to one self-contained HTML file.

``writing.py`` is where it starts: ``summary.py`` reads the values, the ``*_section.py`` modules turn them
into sections of ``blocks.py``, ``drawing/`` draws the plots, ``templates/`` says how blocks look.
"""
