"""The pure core: actions in, interests out; no input, output, clock or chance."""
