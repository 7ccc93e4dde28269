"""An entry module that imports little."""

JANUS_HOOK_API = (1, 0)
