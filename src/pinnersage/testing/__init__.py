"""For the tests of those who extend pinnersage; needs pytest and hypothesis, and no other part imports it."""
