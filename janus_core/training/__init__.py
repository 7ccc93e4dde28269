"""The Lightning module, the stages of a run and what watches them."""
