"""A plugin engine that knows nothing of models: spec records, discovery, policy, versions, resolution, options."""
