"""Numbers that papers print, one TOML file a paper, each with its table and the protocol that it was measured under."""
