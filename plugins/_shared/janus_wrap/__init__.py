"""Vision models of timm, open_clip and transformers as understanding encoders, with no code written.

What ``janus plugins new --wrap`` writes stands on this package, so it is public: `Facts` and `WrapOptions` of
``janus_wrap.options``, `build` and `build_transform` of ``janus_wrap.timm_models``, ``.open_clip_models`` and
``.transformers_models`` change only as the hook API does.
"""
