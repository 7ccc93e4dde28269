"""The published Janus checkpoints, in DeepSeek's layout and in Hugging Face's: read and written."""
