"""The decoupling interface of unified multimodal models, and the system that stands on it.

Importing this package imports no torch: listings, help and planning stay fast.
"""
