"""The benchmarks of the papers, one package each: ``spec`` (declared), ``files`` (official formats), ``score`` (pure
functions, no torch), ``benchmark`` (questions, prompts, protocols)."""
