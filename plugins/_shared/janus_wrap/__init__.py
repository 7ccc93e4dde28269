"""Vision models of timm, open_clip and transformers as understanding encoders, with no code written.

What ``janus plugins new --wrap`` writes stands on this package, so it is public: ``janus_wrap.options`` (`Facts`,
`WrapOptions`) and ``janus_wrap.encoder`` (`build`, `build_transform`) change as the hook API does.
"""
