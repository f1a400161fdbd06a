"""Joint training and fine-tuning."""
